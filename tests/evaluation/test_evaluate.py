from __future__ import annotations

import json
from dataclasses import replace

import ir_measures
import numpy as np
import polars as pl
import pytest
from ir_measures import RR, R, nDCG
from sklearn.metrics import roc_auc_score

from poise.errors import NotFittedError, PoiseError, UsageError
from poise.evaluation import evaluate, write_report
from poise.evaluation.metrics import METRICS
from poise.models.baselines.random import Random

NO = -np.inf


@pytest.fixture
def two_users(make_holdout):
    """Items 1 to 5; the first person saw item 1 and then chose 3, the second saw item 2 and then chose 1 and 4."""
    return make_holdout([[1], [2]], [[3], [1, 4]], 5, values=[4.0, 2.0, 5.0], genres=[["a"], ["b"], ["a"], ["b"], []])


@pytest.fixture
def model(two_users, fixed):
    scores = [[0] * 6, [9, 9, 5, 4, 3, 2], [9, 1, 9, 5, 4, 3]]  # slates: 2 3 4 5 and 3 4 5 1
    return fixed(scores, values=[0, 2, 3, 3, 3, 3]).fit(two_users.train)


def test_every_metric_of_a_small_case_by_hand(two_users, model):
    estimates = evaluate(model, two_users, k=(2, 4)).estimates["Fixed"]
    value = {name: estimate.value for name, estimate in estimates.items()}
    assert value["Recall@2"] == pytest.approx((1 + 1 / 2) / 2)
    assert value["Precision@2"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert value["F1@2"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert value["HitRate@2"] == 1
    assert value["MRR@2"] == pytest.approx(1 / 2)
    assert value["MAP@4"] == pytest.approx((1 / 2 + (1 / 2 + 2 / 4) / 2) / 2)
    assert value["DCG@2"] == pytest.approx(1 / np.log2(3))
    assert value["NDCG@2"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(3) / (1 + 1 / np.log2(3))) / 2)
    assert value["AUC"] == pytest.approx((2 / 3 + (1 / 2 + 0) / 2) / 2)
    assert value["RMSE"] == pytest.approx(np.sqrt((1 + 0 + 4) / 3))
    assert value["MAE"] == pytest.approx((1 + 0 + 2) / 3)
    assert value["Coverage@2"] == 3 / 5
    assert value["Popularity@4"] == pytest.approx((1 / 4 + 1 / 4) / 2)
    assert value["Novelty@4"] == pytest.approx(1.0)
    assert set(METRICS) == {name.split("@")[0] for name in estimates}


def test_intervals_contain_their_estimates(two_users, model):
    for name, estimate in evaluate(model, two_users, k=2).estimates["Fixed"].items():
        assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12, name


def test_short_slates_and_padding_are_no_hits(make_holdout, fixed):
    holdout = make_holdout([[1, 2]], [[3]], 3)
    report = evaluate(fixed([[9] * 4, [9, 9, 9, 1]]).fit(holdout.train), holdout, k=3)
    value = {name: estimate.value for name, estimate in report.estimates["Fixed"].items()}
    assert value["Recall@3"] == 1
    assert value["Precision@3"] == pytest.approx(1 / 3)
    assert value["MRR@3"] == 1
    assert np.isnan(value["AUC"])  # nothing else could be shown


def test_random_has_the_metrics_of_chance(make_holdout):
    n, n_items = 4_000, 50
    rng = np.random.default_rng(0)
    holdout = make_holdout([[1]] * n, [[int(item)] for item in rng.integers(2, n_items + 1, n)], n_items)
    estimates = evaluate(Random().fit(holdout.train), holdout, k=10).estimates["Random"]
    assert estimates["Recall@10"].low < 10 / (n_items - 1) < estimates["Recall@10"].high
    assert estimates["AUC"].low < 0.5 < estimates["AUC"].high
    assert estimates["Coverage@10"].value == pytest.approx(49 / 50)


def test_batch_size_does_not_change_metrics(make_holdout, monkeypatch, fixed):
    rng = np.random.default_rng(1)
    holdout = make_holdout(
        [rng.integers(1, 21, 3).tolist() for _ in range(30)],
        [rng.integers(21, 41, rng.integers(1, 5)).tolist() for _ in range(30)],
        40,
        values=None,
    )
    model = fixed(rng.random((31, 41))).fit(holdout.train)
    whole = evaluate(model, holdout, k=(3, 10)).frame()
    monkeypatch.setitem(evaluate.__globals__, "batch_size", lambda width: 7)
    assert evaluate(model, holdout, k=(3, 10)).frame().equals(whole)


def test_model_names_are_made_unique(two_users, model):
    report = evaluate([model, model, model], two_users, k=2)
    assert report.models == ("Fixed", "Fixed (2)", "Fixed (3)")
    assert evaluate({"mine": model}, two_users, k=2).models == ("mine",)


def test_metrics_that_cannot_be_measured_are_left_out_unless_named(make_holdout, fixed):
    holdout = make_holdout([[1]], [[2]], 3)
    model = fixed([[0] * 4, [0, 1, 2, 3]]).fit(holdout.train)
    names = evaluate(model, holdout, k=2).names
    assert not {"RMSE", "MAE", "Calibration@2", "Diversity@2"} & set(names)
    for name, why in (("RMSE", "no values"), ("Calibration", "no column of labels"), ("Diversity", "neither vectors")):
        with pytest.raises(UsageError, match=why):
            evaluate(model, holdout, k=2, metrics=[name])
    assert evaluate(model, holdout, k=2, metrics=["ndcg", "Recall@2"]).names == ["NDCG@2", "Recall@2"]


@pytest.mark.parametrize(("kind", "offered"), [("rating", True), (None, True), ("quantity", False), ("count", False)])
def test_errors_of_predicted_values_are_measured_on_ratings_only(two_users, model, kind, offered):
    holdout = replace(two_users, train=replace(two_users.train, value_kind=kind))
    assert ("RMSE" in evaluate(model, holdout, k=2).names) == offered
    if not offered:
        with pytest.raises(UsageError, match=f"no ratings: their kind is {kind}"):
            evaluate(model, holdout, k=2, metrics=["RMSE"])


def test_rating_metrics_of_models_that_predict_no_ratings(two_users, fixed):
    model = fixed(np.zeros((3, 6))).fit(two_users.train)
    with pytest.raises(UsageError, match="none of Fixed predicts values"):
        evaluate(model, two_users, k=2, metrics=["RMSE"])


def test_invalid_arguments_of_evaluate_are_named(two_users, model, make_holdout, fixed):
    with pytest.raises(UsageError, match="k is 6; it must lie between 1 and 5"):
        evaluate(model, two_users, k=6)
    with pytest.raises(UsageError, match="k is 0"):
        evaluate(model, two_users, k=0)
    with pytest.raises(UsageError, match="Did you mean 'ndcg'"):
        evaluate(model, two_users, k=2, metrics=["NDGC"])
    with pytest.raises(UsageError, match="no models"):
        evaluate([], two_users, k=2)
    with pytest.raises(UsageError, match="the users have no column 'age'"):
        evaluate(model, two_users, k=2, user_columns=["age"])
    with pytest.raises(NotFittedError):
        evaluate(fixed(np.zeros((3, 6))), two_users, k=2)
    other = make_holdout([[1]], [[2]], 4)
    with pytest.raises(UsageError, match="Fixed was fitted on another catalogue"):
        evaluate(model, other, k=2)
    broken = fixed(np.full((3, 6), np.nan)).fit(two_users.train)
    with pytest.raises(PoiseError, match="NaN"):
        evaluate(broken, two_users, k=2)


def test_groups_partition_the_requests(make_holdout, fixed):
    users = pl.DataFrame({"plan": ["free", "paid", "free", None]})
    holdout = make_holdout([[1, 2, 4, 5], [1, 2], [1], []], [[3], [3], [4], [6]], 6, users=users)
    scores = np.tile(np.array([0, 1, 2, 9, 3, 4, 5]), (5, 1))  # the first two get item 3, the others miss
    report = evaluate(fixed(scores).fit(holdout.train), holdout, k=1)
    by_user = report.by_user_group("Recall@1")
    plans = {row["group"]: (row["value"], row["n"]) for row in by_user.filter(grouping="plan").to_dicts()}
    assert plans == {"free": (0.5, 2), "paid": (1.0, 1), "unknown": (0.0, 1)}
    activity = by_user.filter(pl.col("grouping") == "events in the history")
    assert activity["group"][0] == "none"
    assert activity["n"].sum() == 4
    by_item = {row["group"]: (row["value"], row["n"]) for row in report.by_item_group().to_dicts()}
    assert by_item["cold"] == (pytest.approx(2 / 3), 3)
    assert sum(n for _, n in by_item.values()) == 4


def test_reports_order_compare_and_serialise(make_holdout, tmp_path, fixed):
    rng = np.random.default_rng(2)
    n, n_items = 120, 30
    targets = rng.integers(2, n_items + 1, n)
    holdout = make_holdout([[1]] * n, [[int(item)] for item in targets], n_items)
    noise = rng.random((n + 1, n_items + 1))
    informed = noise.copy()
    informed[np.arange(1, n + 1), targets] += 0.5
    models = {"bad": fixed(noise), "good": fixed(informed), "copy": fixed(informed)}
    report = evaluate({name: model.fit(holdout.train) for name, model in models.items()}, holdout, k=(5, 10))
    assert report.primary == "NDCG@10"
    assert report.ordered() == ["good", "copy", "bad"]
    against_copy, against_bad = report.significance()
    assert not against_copy.real
    assert against_bad.real
    text = report.text()
    assert "no difference shown between good and copy" in text
    assert text.splitlines()[2].startswith("good")
    assert report.frame().filter(model="good", metric="Recall@10").height == 1
    assert report.table(["NDCG@10"]).columns == ["model", "NDCG@10"]
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["metrics"]["good"]["NDCG@10"]["value"] == report.estimates["good"]["NDCG@10"].value
    assert saved["protocol"]["requests"] == n
    with pytest.raises(UsageError, match="was not measured"):
        report.significance("NDCG@7")
    with pytest.raises(UsageError, match="cannot be compared"):
        report.significance("Coverage@10")


def test_evaluate_agrees_with_trec_eval_and_scikit_learn(make_holdout, fixed):
    rng = np.random.default_rng(3)
    n, n_items = 40, 60
    pasts = [rng.choice(np.arange(1, 31), rng.integers(0, 12), replace=False).tolist() for _ in range(n)]
    then = [rng.choice(np.arange(31, 61), rng.integers(1, 15), replace=False).tolist() for _ in range(n)]
    holdout = make_holdout(pasts, then, n_items)
    model = fixed(rng.random((n + 1, n_items + 1))).fit(holdout.train)
    report = evaluate(model, holdout, k=(5, 10), resamples=20)
    qrels = [ir_measures.Qrel(str(row), str(item), 1) for row, items in enumerate(then) for item in items]
    run, expected_auc = [], []
    for row in range(n):
        candidates = np.setdiff1d(np.arange(1, n_items + 1), pasts[row])
        scores = model.table[row + 1, candidates]
        run += [
            ir_measures.ScoredDoc(str(row), str(item), float(s)) for item, s in zip(candidates, scores, strict=True)
        ]
        expected_auc.append(roc_auc_score(np.isin(candidates, then[row]), scores))
    wanted = {f"{name}@{k}": m @ k for name, m in (("NDCG", nDCG), ("Recall", R), ("MRR", RR)) for k in (5, 10)}
    theirs = ir_measures.calc_aggregate(wanted.values(), qrels, run)
    for name, measure in wanted.items():
        assert report.estimates["Fixed"][name].value == pytest.approx(theirs[measure], abs=1e-9)
    assert report.estimates["Fixed"]["AUC"].value == pytest.approx(np.mean(expected_auc), abs=1e-9)


def test_catalogue_metrics_alone_can_be_reported(two_users, model, tmp_path):
    report = evaluate([model, model], two_users, k=2, metrics=["Coverage"])
    assert "Coverage@2" in report.text()
    report.save(tmp_path / "report.json")
    write_report(report, tmp_path / "report.html", holdout=two_users, models=[model, model])
    assert "Coverage@2 0.6000" in (tmp_path / "report.html").read_text()
