import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from poise.data.ingest.event_ids import event_id, ordinals


def test_ids_of_equal_events_are_numbered_in_order():
    events = pl.DataFrame(
        {
            "user_id": ["a", "a", "b", "a", "a"],
            "item_id": ["x", "x", "x", "x", "x"],
            "value": [0.1, None, 0.1, 0.1, None],
            "device": ["tv", "tv", "tv", "phone", "tv"],
        }
    )
    assert ordinals(events).to_list() == [0, 0, 0, 1, 1]


def test_event_ids_do_not_depend_on_float_precision():
    events = pl.DataFrame(
        {"user_id": "a", "item_id": "x", "value": [0.1, float(pl.Series([0.1], dtype=pl.Float32)[0])]}
    )
    assert ordinals(events).to_list() == [0, 1]


def test_event_ids_are_stable_across_versions():
    """Ids are kept in live logs: other ones would let an import add everything again."""
    assert event_id("anna", "Lampe für 2", "view", None, 1_704_103_200_000, 0) == "ad1d2a32182f586776f25ddf911fa262"
    assert event_id("anna", "lamp", "rate", 4.5, 0, 2) == "cdbbfb96b857028d8a4ae7892d0eb70d"


events = st.tuples(
    *(st.text(max_size=3),) * 3,
    st.none() | st.floats(allow_nan=False, width=32),
    st.integers(0, 2**50),
    st.integers(0, 9),
)


@given(events, events)
def test_different_events_have_different_ids(first, other):
    assert (event_id(*first) == event_id(*other)) == (repr(first) == repr(other))
