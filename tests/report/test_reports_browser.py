"""Reports in a real browser: nothing is cut on a phone, and no label of a plot covers another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poise.data.split import leave_last_out
from poise.evaluation import evaluate, write_report
from poise.models import ItemKNN, Popularity, Random
from poise.report import Page, plots

PHONE, DESK, WALL = 390, 1440, 1920
NAMES = [
    "流浪地球：一个关于人类与星空的非常长的故事",
    "Short",
    "A NAME IN CAPITALS OF A MODEL",
    "costs $5",
    "x" * 60,
]
CUT = """[...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 2 || own.right > box.right + 2;
  }).map((text) => text.textContent);
})"""
COVERED = """[...document.querySelectorAll("figure svg")].flatMap((svg) => {
  const level = (text) => !/rotate\\((?!-?0\\))/.test(text.outerHTML + text.parentElement.outerHTML);
  const boxes = [...svg.querySelectorAll("text")].filter(level).map((text) => [text, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], at) => boxes.slice(at + 1).filter(([, b]) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2
  ).map(([other]) => `${one.textContent} / ${other.textContent}`));
})"""


def all_plots() -> Page:
    rng = np.random.default_rng(0)
    page = Page("Plots", "of every kind")
    for heading in ("One", "Two", "Three"):
        page.heading(heading)
    share = np.linspace(0.1, 0.5, len(NAMES))
    crowd, axes = plots.blank(xlabel="across", ylabel="up")
    points = 0.5 + 0.05 * rng.random((7, 2))
    axes.scatter(points[:, 0], points[:, 1])
    axes.margins(0.12)
    names = ["Popularity", "Blend", "ItemKNN", "SASRec", "内容模型", "EASE", "a long name of a model"]
    plots.label_points(axes, names, points)
    for figure in (
        plots.bars(NAMES, share, percent=True),
        plots.intervals(NAMES, share, share - 0.1, share + 0.1, reference=0),
        plots.columns(["Monday morning", "Tuesday afternoon", "Wednesday", "Thursday and more"], [1, 2, 3, 4]),
        plots.columns([str(hour) for hour in range(24)], np.arange(24)),
        plots.histogram(rng.pareto(1, 500) + 1, log=True),
        plots.line(np.arange(1, 50), {"one": np.arange(1, 50), "another": 1 / np.arange(1, 50)}, log=True),
        plots.line(np.arange("2020-01", "2022-06", dtype="datetime64[M]"), np.arange(29), size=(10, 3)),
        crowd,
    ):
        page.figure(figure, "caption", "alt")
    columns = ["column", *(f"measure {number}" for number in range(12))]
    page.table(columns, [[name, *rng.random(12).tolist()] for name in NAMES], caption="A caption " * 12)
    return page


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a page of every plot."""
    folder = tmp_path_factory.mktemp("reports")
    all_plots().write(folder / "plots.html")
    return folder


def opened(browser: Any, path: Path, width: int) -> Any:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("width", [PHONE, DESK, WALL])
def test_no_label_of_a_plot_is_cut_or_covered(browser, reports, width):
    page = opened(browser, reports / "plots.html", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    assert page.evaluate(COVERED) == []
    page.close()


def test_tables_scroll_inside_and_keep_their_first_column(browser, reports):
    page = opened(browser, reports / "plots.html", PHONE)
    table = page.locator(".scroll").last
    caption = table.locator("caption").bounding_box()
    assert caption["x"] + caption["width"] <= PHONE, "the caption is read without scrolling"
    before = table.locator("tbody th").first.bounding_box()
    table.evaluate("(one) => one.scrollTo(400, 0)")
    assert table.evaluate("(one) => one.scrollLeft") > 300
    assert table.locator("tbody th").first.bounding_box()["x"] == pytest.approx(before["x"])
    page.close()


def test_a_wide_screen_is_used(browser, reports):
    page = opened(browser, reports / "plots.html", WALL)
    lefts = {round(box["x"]) for box in (figure.bounding_box() for figure in page.locator("figure:not(.wide)").all())}
    assert len(lefts) == 3, "three plots side by side"
    contents, main = page.locator("nav").bounding_box(), page.locator("main").bounding_box()
    assert contents["x"] + contents["width"] <= main["x"], "the contents stand beside the text"
    assert page.locator("footer").bounding_box()["width"] > 0.85 * WALL
    page.locator("table").scroll_into_view_if_needed()
    assert page.locator("nav a").first.is_visible()
    page.close()


@pytest.mark.parametrize("width", [PHONE, WALL])
def test_an_evaluation_fits(browser, films, tmp_path, width):

    split = leave_last_out(films)
    models = [Popularity().fit(split.train), Random().fit(split.train), ItemKNN().fit(split.train)]
    report = evaluate(models, split.test, k=(5, 10), resamples=50)
    write_report(report, tmp_path / "report.html", holdout=split.test, models=models)
    page = opened(browser, tmp_path / "report.html", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    assert page.evaluate(COVERED) == []
    page.close()
