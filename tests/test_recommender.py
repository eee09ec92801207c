"""What holds for every model: one interface, no exceptions."""

from __future__ import annotations

import errno
import gc
import json
import pickle
import warnings
import weakref
from dataclasses import replace

import numpy as np
import pytest

from poise.data.queries import Queries
from poise.data.ragged import Ragged
from poise.data.split import leave_last_out
from poise.data.vocabulary import Vocabulary
from poise.errors import DataError, NotFittedError, PoiseError, UnknownIdError, UsageError
from poise.models import ALS, BPR, EASE, Blend, Content, ItemKNN, Popularity, Random, TwoTower
from poise.models.inner_product import InnerProduct
from poise.models.sequential.sequence_model import SequenceModel
from poise.models.torch_model import TorchModel
from poise.options.fit_options import FitOptions
from poise.persistence import Persistent
from poise.pipeline import Pipeline
from poise.recommender import Recommender, load


def _same(left, other):
    np.testing.assert_array_equal(left.items, other.items)
    np.testing.assert_array_equal(left.scores, other.scores)
    assert left.reasons == other.reasons


def _members(model):
    yield model
    for member in getattr(model, "members", ()):
        yield from _members(member)


def test_scores_are_complete_and_a_new_array(fitted, films):
    queries = films.queries()
    scores = fitted.score(queries)
    assert scores.shape == (len(queries), films.item_ids.size)
    assert scores.dtype == np.float32
    assert np.isfinite(scores[:, 1:]).all()
    before = scores.copy()
    scores[:] = -1
    np.testing.assert_array_equal(fitted.score(queries), before)


@pytest.mark.parametrize("hide_seen", [True, False])
def test_slates_respect_seen_excluded_and_candidate_items(fitted, films, hide_seen):
    rng = np.random.default_rng(0)
    queries = films.queries(hide_seen=hide_seen)
    queries = replace(
        queries,
        exclude=Ragged.from_rows([rng.integers(1, 25, size=3) for _ in range(len(queries))]),
        candidates=Ragged.from_rows([rng.integers(0, 25, size=12) for _ in range(len(queries))]),
    )
    slates = fitted.recommend(queries, k=24, explain=True)
    seen_again = 0
    for row, slate in enumerate(slates):
        items = films.item_ids.index(slate.items).tolist()
        allowed = set(queries.candidates[row].tolist()) - set(queries.exclude[row].tolist()) - {0}
        history = set(queries.history(row).tolist())
        if hide_seen:
            allowed -= history
        assert set(items) == allowed  # all that may be shown: k is the whole catalogue
        assert len(items) == len(allowed) == len(slate.reasons) == len(slate.scores)
        assert slate.scores == sorted(slate.scores, reverse=True)
        assert set(slate.probabilities) <= {1.0}
        seen_again += len(set(items) & history)
    assert bool(seen_again) != hide_seen


def test_users_without_a_history_are_served(fitted, films):
    for queries in (films.queries(["u40"]), Queries.from_histories([[], [0]], films.item_ids)):
        slates = fitted.recommend(queries, k=24, explain=True)
        assert (slates.items > 0).all()
        assert all(sorted(row) == list(range(1, 25)) for row in slates.items.tolist())
        assert np.isfinite(slates.scores).all()
        assert all(reason.kind != "history" for slate in slates for row in slate.reasons for reason in row)


def test_an_empty_batch_of_queries(fitted, films):
    slates = fitted.recommend(films.queries([]), k=3, explain=True)
    assert len(slates) == 0
    assert slates.items.shape == (0, 3)
    assert slates.to_frame().height == 0


def test_scores_depend_on_the_history_not_on_the_user_id(fitted, films):
    of_user = films.queries(["u07"])
    log, past = films.events, slice(of_user.start[0], of_user.stop[0])
    given = Queries.from_histories(
        [log.item[past]], films.item_ids, behaviours=[log.behaviour[past]], timestamps=[log.timestamp[past]]
    )
    given = replace(given, users=of_user.users)
    if any(isinstance(member, Random) for member in _members(fitted)):
        return  # draws by user
    _same(fitted.recommend(of_user, k=10, explain=True), fitted.recommend(given, k=10, explain=True))


def test_batching_changes_no_score(fitted, films):
    if any(isinstance(member, Random) for member in _members(fitted)):
        return  # draws by batch
    queries = films.queries()
    together = fitted.score(queries)
    for row in (0, 17, 40):
        np.testing.assert_allclose(fitted.score(queries.take([row]))[0], together[row], rtol=1e-4, atol=1e-5)


def test_non_personalized_models_score_all_requests_alike(fitted, films):
    scores = fitted.score(replace(films.queries(), context=films.events.context.head(1).select("device")[[0] * 41]))
    if fitted.non_personalized:
        assert (scores == scores[0]).all()
    else:
        assert (scores != scores[0]).any() or "scenario" in str(fitted)


def test_fitting_twice_gives_the_same(make_model, films):
    split = leave_last_out(films)
    first, other = (make_model().fit(split.train, split.valid) for _ in range(2))
    assert first.selected == other.selected
    _same(first.recommend(split.test.queries, k=8), other.recommend(split.test.queries, k=8))
    first.fit(split.train, split.valid)
    _same(first.recommend(split.test.queries, k=8), other.recommend(split.test.queries, k=8))


def test_fitting_raises_no_warnings(make_model, films):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model().fit(films).recommend(films.queries(), k=5, explain=True)


def test_refit_keeps_what_was_selected(make_model, films):
    split = leave_last_out(films)
    model = make_model().fit(split.train, split.valid)
    chosen = [member.selected for member in _members(model)]
    assert model.data_fingerprint == split.train.fingerprint
    model.refit(films)
    if not isinstance(model, Blend):  # which drops the members that have no weight
        assert [member.selected for member in _members(model)] == chosen
    assert model.data_fingerprint == films.fingerprint
    if isinstance(model, InnerProduct):
        return  # its choice is how long it learns, not how it scores: see tests/models/test_sequence_models.py
    fresh = make_model().fit(films)
    for plain, was in zip(_members(fresh), chosen, strict=True):
        assert plain.selected == type(plain).selected
        plain.selected = was
    _same(model.recommend(films.queries(), k=5), fresh.recommend(films.queries(), k=5))


def test_queries_of_another_catalogue_are_reindexed(fitted, films):
    """An item was added and one taken away since the model was fitted, and the order is another."""
    ids = films.item_ids.series.to_list()
    changed = Vocabulary(["new", *ids[:3:-1], *ids[:3]])  # without i03
    history = ["i05", "new", "i07", "i00"]
    there = replace(
        Queries.from_histories([changed.index(history)], changed),
        exclude=Ragged.from_rows([changed.index(["i09", "new"])]),
    )
    here = replace(
        Queries.from_histories([films.item_ids.index(history)], films.item_ids),
        exclude=Ragged.from_rows([films.item_ids.index(["i09"])]),
    )
    slates = fitted.recommend(there, k=24, explain=True)
    _same(slates, fitted.recommend(here, k=24, explain=True))
    assert slates.item_ids == films.item_ids
    assert set(slates[0].items).isdisjoint({"i05", "i07", "i00", "i09", "new"})


def test_extend_catalogue_keeps_old_scores(fitted, films, grown_films, tmp_path):
    queries = films.queries()
    before = fitted.score(queries)
    grown = fitted.extend_catalogue(grown_films)
    assert fitted.item_ids is films.item_ids
    np.testing.assert_array_equal(fitted.score(queries), before)
    after = grown.score(replace(queries, item_ids=grown_films.item_ids))
    assert after.shape == (len(queries), grown_films.item_ids.size)
    with_data = np.arange(1, 23)  # of i23 nothing is known: it comes last, whatever the others are
    np.testing.assert_allclose(after[:, with_data], before[:, with_data], rtol=1e-6, atol=1e-6)
    assert np.isfinite(after).all()
    if not isinstance(fitted, TwoTower) and "Random" not in str(fitted):  # the one reads columns, the other draws
        np.testing.assert_array_equal(after[:, 24], after[:, 26])  # nothing is known of either
    histories = [["i04", "i24", "i06"], ["i25"], []]
    requests = Queries.from_histories([grown_films.item_ids.index(row) for row in histories], grown_films.item_ids)
    slates = grown.recommend(requests, k=26, explain=True)
    assert [len(slate) for slate in slates] == [23, 25, 26]
    assert not {"i04", "i24", "i06"} & set(slates[0].items)
    grown.save(tmp_path / "grown")
    fitted.save(tmp_path / "model")
    for again in (load(tmp_path / "grown"), load(tmp_path / "model").extend_catalogue(grown_films)):
        scores = again.recommend(requests, k=26).scores  # it may add up in another order
        np.testing.assert_allclose(scores, slates.scores, rtol=1e-4, atol=1e-5)
    if not isinstance(fitted, Random | Popularity):
        assert grown.similar(["i24"], k=25).items.shape == (1, 25)
    chosen = fitted.selected
    assert fitted.extend_catalogue(grown_films).refit(films).score(queries).shape == before.shape
    assert fitted.selected == chosen
    np.testing.assert_array_equal(fitted.score(queries), before)


def test_update_keeps_what_was_selected_and_serves_new_users(fitted, films, later_films, tmp_path):
    before = fitted.score(films.queries())
    chosen = [member.selected for member in _members(fitted)]
    fitted.save(tmp_path / "model")
    updated = fitted.extend_catalogue(later_films).update(later_films)
    assert updated.data_fingerprint == later_films.fingerprint
    assert updated.item_ids is later_films.item_ids
    assert [member.selected for member in _members(updated)] == chosen
    np.testing.assert_array_equal(fitted.score(films.queries()), before)
    queries = later_films.queries()
    slates = updated.recommend(queries, k=26, explain=True)
    assert len(slates[40]) == 26  # of u40 nothing is known
    _same(load(tmp_path / "model").update(later_films).recommend(queries, k=26, explain=True), slates)
    if not any(isinstance(member, SequenceModel) for member in _members(fitted)):
        _same(load(tmp_path / "model").refit(later_films).recommend(queries, k=26, explain=True), slates)
    updated.save(tmp_path / "model")
    _same(load(tmp_path / "model").recommend(queries, k=26, explain=True), slates)


def test_extend_catalogue_ranks_a_new_item_by_content(fitted, grown_films):
    grown = fitted.extend_catalogue(grown_films)
    moons = [grown_films.item_ids.index(["i02", "i04", "i08"])]
    queries = Queries.from_histories(moons, grown_films.item_ids)
    place = grown.recommend(queries, k=23)[0].items.index("i24")
    if isinstance(fitted, Content):
        assert place < 4
    elif isinstance(fitted, Popularity | ItemKNN | EASE):
        assert grown.score(queries)[0, 25] == 0


def test_extend_catalogue_with_another_order(fitted, films, grown_films):
    order = np.r_[0, 2, 1, 3 : grown_films.item_ids.size]
    other = replace(
        grown_films,
        item_ids=Vocabulary(grown_films.item_ids.series.gather(order[1:] - 1)),
        items=grown_films.items[order[1:] - 1],
        vectors={"text": grown_films.vectors["text"][order]},
    )
    if isinstance(fitted, InnerProduct):
        queries = films.queries(["u03"])
        scores = fitted.extend_catalogue(other).score(queries.reindex(other.item_ids))
        np.testing.assert_allclose(scores[:, :23], fitted.score(queries)[:, order[:23]], rtol=1e-5, atol=1e-5)
        return
    with pytest.raises(DataError, match="put new items last"):
        fitted.extend_catalogue(other)
    with pytest.raises(DataError, match="put new items last"):
        fitted.extend_catalogue(replace(films, item_ids=Vocabulary(films.item_ids.series.head(3))))


def test_similar_items(fitted, films):
    item_ids = ["i04", "i22", "i23"]  # i22 was never touched; of i23 nothing at all is known
    if isinstance(fitted, Random | Popularity):
        with pytest.raises(UsageError, match="similar"):
            fitted.similar(item_ids, k=23)
        return
    slates = fitted.similar(item_ids, k=23)
    for item, slate in zip(item_ids, slates, strict=True):
        assert item not in slate.items
        assert len(set(slate.items)) == 23
    for k in (0, 24):
        with pytest.raises(UsageError, match="between 1 and 23"):
            fitted.similar(["i04"], k=k)
    with pytest.raises(UnknownIdError, match="'i99'"):
        fitted.similar(["i04", "i99"], k=2)
    with pytest.raises(UsageError, match="list"):
        fitted.similar("i04", k=2)


def test_similar_items_are_of_the_same_group(fitted):
    if isinstance(fitted, Random | Popularity) or "Random" in str(fitted):
        return
    slate = fitted.similar(["i04"], k=5)[0]
    assert sum(int(item[1:]) % 2 == 0 for item in slate.items) >= 4


def test_reasons_come_from_the_history(fitted, films):
    queries = films.queries()
    slates = fitted.recommend(queries, k=6, explain=True)
    n_history = 0
    for row, slate in enumerate(slates):
        for reasons in slate.reasons:
            assert sum(reason.share for reason in reasons) <= 1 + 1e-6
            for reason in reasons:
                assert 0 <= reason.share <= 1 + 1e-6
                assert reason.text(films.titles)
                assert bool(reason.items) == (reason.kind == "history")
                assert set(reason.items) <= set(queries.history(row).tolist())
                n_history += reason.kind == "history"
    assert bool(n_history) != isinstance(fitted, Random | Popularity)
    assert fitted.recommend(queries, k=6).reasons is None


@pytest.mark.parametrize("k", [0, -1, 25])
def test_k_out_of_range(fitted, films, k):
    with pytest.raises(UsageError, match=f"k is {k}; it must lie between 1 and 24"):
        fitted.recommend(films.queries(), k=k)


def test_an_unfitted_model_raises_not_fitted_error(make_model, films, tmp_path):
    model = make_model()
    for ask in (
        lambda: model.recommend(films.queries()),
        lambda: model.similar(["i04"]),
        lambda: model.save(tmp_path / "model"),
        lambda: model.refit(films),
        lambda: model.extend_catalogue(films),
        lambda: model.update(films),
    ):
        with pytest.raises(NotFittedError, match="fit"):
            ask()
    assert not list(tmp_path.iterdir())


def test_save_and_load(fitted, films, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(str(tmp_path / "model"))
    assert type(again) is type(fitted)
    assert again.name == fitted.name
    assert (again.selected, again.notes, again.metrics) == (fitted.selected, fitted.notes, fitted.metrics)
    assert again.data_fingerprint == films.fingerprint
    assert again.item_ids == films.item_ids
    queries = replace(films.queries(), context=films.events.context.head(1).select("device")[[0] * 41])
    _same(fitted.recommend(queries, k=24, explain=True), again.recommend(queries, k=24, explain=True))
    items = Ragged.from_rows([[1, 2]] * 41)
    np.testing.assert_array_equal(fitted.predict(queries, items), again.predict(queries, items))
    again.save(tmp_path / "model")
    _same(fitted.recommend(queries, k=24), load(tmp_path / "model").recommend(queries, k=24))
    again.refit(films)  # what was loaded can learn on
    assert again.selected == fitted.selected


def test_saved_models_hold_no_pickle(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    files = [file for file in (tmp_path / "model").rglob("*") if file.is_file()]
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".arrow"}
    for file in files:
        with pytest.raises((pickle.UnpicklingError, ValueError, EOFError, IndexError)):
            pickle.loads(file.read_bytes())
    header = json.loads((tmp_path / "model" / "model.json").read_text(encoding="utf-8"))
    assert header["format"] == 1
    assert header["kind"] == type(fitted).__name__


@pytest.fixture
def saved(films, tmp_path):
    path = tmp_path / "model"
    Blend(members=[EASE(), Popularity(half_life=3)]).fit(films).save(path)
    return path


FILES = ["model.json", "items.arrow", "arrays.safetensors", "members.0/model.json", "members.0/arrays.safetensors"]


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "other"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_model_is_a_one_line_error(saved, name, how):
    path = saved / name
    content = path.read_bytes()
    damaged = {"empty": b"", "cut": content[: len(content) // 2], "other": b"this is a letter\n" * 50}
    path.unlink()
    if how != "gone":
        path.write_bytes(damaged[how])
    with pytest.raises(DataError) as caught:
        load(saved)
    assert "\n" not in str(caught.value)
    assert str(saved) in str(caught.value)


def _edit(path, **changes):
    header = json.loads((path / "model.json").read_text(encoding="utf-8"))
    header.update(changes)
    (path / "model.json").write_text(json.dumps({key: value for key, value in header.items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2, "poise": "9.0"}, "written by Poise 9.0, newer than this"),
        ({"format": None}, "damaged"),
        ({"format": "one"}, "damaged"),
        ({"kind": "Oracle"}, "'Oracle', which is not known here"),
        ({"kind": "Oracle", "module": "delphi.oracle"}, "import delphi.oracle first"),
        ({"module": "poise.models.oracle"}, "damaged"),
        ({"options": None}, "damaged"),
        ({"options": {"decay": 2.0, "l2": "a lot"}}, "damaged"),
        ({"options": {"colour": "red"}}, "damaged"),
        ({"parts": {"members": ["members.7"]}}, "does not exist"),
        ({"selected": None}, "damaged"),
        ({"data_fingerprint": None}, "damaged"),
    ],
)
@pytest.mark.parametrize("part", [".", "members.0"])
def test_a_model_with_a_wrong_header(saved, part, changes, says):
    if part != "." and ("format" in changes or "parts" in changes):
        return  # stands in the whole's header only
    _edit(saved / part, **changes)
    with pytest.raises(DataError, match=says) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_loading_from_a_missing_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "model.json").write_text("[1]")
    for name in ("none", ".", "file", "list"):
        with pytest.raises(DataError) as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ValueError("no"), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_interrupted_save_leaves_the_old_model(films, tmp_path, monkeypatch, error):
    def interrupted(self):
        raise error

    path = tmp_path / "model"
    model = ItemKNN().fit(films)
    monkeypatch.setattr(ItemKNN, "_arrays", interrupted)
    expected = PoiseError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        model.save(path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    model.save(path)
    monkeypatch.setattr(ItemKNN, "_arrays", interrupted)
    with pytest.raises(expected):
        Blend(members=[model]).fit(films).save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert isinstance(load(path), ItemKNN)


def test_a_custom_model_in_one_class(films, tmp_path):
    """A class outside of Poise is found by its name once its module is imported."""
    from pydantic.dataclasses import dataclass

    @dataclass(kw_only=True, eq=False)
    class Alphabet(Recommender):
        reverse: bool = False

        def _fit(self, data, valid, options):
            self.order = np.arange(data.item_ids.size, dtype=np.float32) * (1 if self.reverse else -1)

        def score(self, queries):
            return np.tile(self.order, (len(queries), 1))

        def _arrays(self):
            return {"order": self.order}

        def _restore(self, arrays):
            self.order = arrays["order"]

    try:
        Alphabet(reverse=True).fit(films).save(tmp_path / "model")
        again = load(tmp_path / "model")
        with pytest.raises(UsageError, match="Alphabet cannot take new items"):
            again.extend_catalogue(films)
        slate = again.recommend(films.queries(["u40"]), k=2, explain=True)[0]
        assert slate.items == ["i23", "i22"]
        assert slate.reasons == [[], []]
    finally:
        Persistent.kinds.pop(f"{__name__}.Alphabet")


def test_options_are_checked():
    for wrong in ({"factors": 0}, {"l2": -1}, {"decay": 0.0}, {"decay": 1.1}, {"colour": "red"}, {"factors": "many"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ALS(**wrong)


def test_slates_as_a_table(films):
    queries = replace(films.queries(["u00", "u01"]), candidates=Ragged.from_rows([[], [24, 23]]))
    slates = Popularity().fit(films).recommend(queries, k=3)
    table = slates.to_frame()
    assert table["query"].to_list() == [1, 1]
    assert table["rank"].to_list() == [1, 2]
    assert set(table["item_id"]) == {"i22", "i23"}
    assert [len(slate) for slate in slates] == [0, 2]
    assert (slates.items[0] == 0).all()
    assert (slates.scores[0] == -np.inf).all()


def test_the_seed_of_fit_options_overrides_the_models_own(films):
    split = leave_last_out(films)
    queries = split.test.queries
    for make in (
        lambda seed: BPR(factors=4, iterations=5, seed=seed),
        lambda seed: TwoTower(dim=8, components=4, epochs=1, seed=seed),
    ):
        expected, other = (make(seed).fit(split.train).score(queries) for seed in (7, 0))
        handed = Blend(members=[make(0)]).fit(split.train, options=FitOptions(seed=7, threads=1)).members[0]
        np.testing.assert_array_equal(handed.score(queries), expected)
        assert (expected != other).any()


def _pipeline(make):
    return lambda: Pipeline(ranker=make(), retrievers=[ItemKNN()])


@pytest.mark.parametrize("within_pipeline", [False, True])
def test_a_fitted_model_does_not_reference_its_data(make_model, films_like, within_pipeline):
    data = films_like()
    split = leave_last_out(data)
    model = (_pipeline(make_model) if within_pipeline else make_model)().fit(split.train, split.valid)
    watched = [
        weakref.ref(watched_object)
        for watched_object in (split.train, split.train.events, split.valid, split.valid.queries)
    ]
    assert pickle.loads(pickle.dumps(model)).item_ids == model.item_ids
    del split, data
    gc.collect()
    assert [reference() for reference in watched] == [None] * 4


def test_fit_once_fits_again_on_another_data_set_object(films):
    split = leave_last_out(films)
    model = Popularity().fit(split.train)
    scores = model.scores
    assert model.fit_once(split.train).scores is scores
    assert model.fit_once(split.train, split.valid).scores is not scores
    del split
    gc.collect()
    scores = model.scores
    again = leave_last_out(films)
    assert model.fit_once(again.train, again.valid).scores is not scores


def test_load_to_a_device(fitted, films, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model", device="cpu")
    _same(again.recommend(films.queries(), k=3), fitted.recommend(films.queries(), k=3))
    if isinstance(fitted, TorchModel):
        with pytest.raises(UsageError, match="device 'abacus' is not there"):
            load(tmp_path / "model", device="abacus")
