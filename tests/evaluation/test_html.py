from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from poise.errors import UsageError
from poise.evaluation import evaluate, write_report
from poise.evaluation.html import headline


@pytest.fixture
def evaluated(make_holdout, fixed):
    rng = np.random.default_rng(0)
    n, n_items = 60, 30
    targets = rng.integers(11, n_items + 1, n)
    histories = [rng.choice(np.arange(1, 11), 5, replace=False).tolist() for _ in range(n - 1)] + [[]]
    users = pl.DataFrame({"plan": rng.choice(["<free>", "paid"], n)})
    genres = [["a" if index % 2 else "b"] for index in range(n_items)]
    holdout = make_holdout(histories, [[int(item)] for item in targets], n_items, users=users, genres=genres)
    noise = rng.random((n + 1, n_items + 1))
    informed = noise.copy()
    informed[np.arange(1, n + 1), targets] += 0.6
    models = [
        fixed(noise, name="<b>bad</b>").fit(holdout.train),
        fixed(informed, name="good & true").fit(holdout.train),
    ]
    return evaluate(models, holdout, k=(5, 10), resamples=200), holdout, models


def test_the_report_page_shows_the_results_escaped(evaluated, tmp_path):
    report, holdout, models = evaluated
    path = tmp_path / "report.html"
    write_report(report, path, holdout=holdout, models=models)
    page = path.read_text()
    assert "good &amp; true is the best: NDCG@10" in page
    assert "more than chance" in page
    assert "&lt;item 001&gt; &amp; co" in page
    assert "<item 0" not in page
    assert "<b>bad" not in page
    assert "&lt;free&gt;" in page
    assert page.count('<section class="example">') == 3
    assert page.count("<svg") >= 5
    assert "What the metrics mean" in page
    assert not re.search(r"(src|href)=[\"']?https?:", page)


def test_examples_mark_hits_and_show_the_newest_event_last(evaluated, tmp_path):
    report, holdout, models = evaluated
    write_report(report, tmp_path / "report.html", holdout=holdout, models=models, examples=1)
    page = (tmp_path / "report.html").read_text()
    example = page[page.index('<section class="example">') :]
    row = int(re.search(r"User user (\d+)", example)[1])
    past = example[: example.index("</ol>")]
    shown = [int(item) for item in re.findall(r"item (\d+)&gt;", past.split("History")[1])]
    assert shown == holdout.queries.history(row).tolist()
    hit = re.search(r'class="hit"><span class="title">&lt;item (\d+)', example)
    assert int(hit[1]) in holdout.targets[row]


def test_a_report_page_of_one_model_without_examples(evaluated, tmp_path):
    _, holdout, models = evaluated
    report = evaluate(models[0], holdout, k=5, resamples=50)
    assert "no other model" in headline(report)
    write_report(report, tmp_path / "one.html", holdout=holdout, models=models[0], examples=0)
    page = (tmp_path / "one.html").read_text()
    assert '<section class="example">' not in page
    write_report(report, tmp_path / "two.html", holdout=holdout, models=models[0])
    assert '<section class="example">' in (tmp_path / "two.html").read_text()


def test_a_report_page_refuses_models_that_are_not_in_the_report(evaluated, tmp_path):
    report, holdout, models = evaluated
    with pytest.raises(UsageError, match="other models or requests"):
        write_report(report, tmp_path / "report.html", holdout=holdout, models=models[:1])
    assert not (tmp_path / "report.html").exists()
