from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poise.report import plots


def heights(figure) -> list[float]:
    return [bar.get_height() for bar in figure.axes[0].patches]


def test_few_integers_get_a_bar_each():
    assert heights(plots.histogram([1, 1, 2, 5, 5, 5, np.nan])) == [2, 1, 0, 0, 3]


def test_half_stars_get_a_bar_each():
    assert heights(plots.histogram([0.5, 1.0, 1.0, 2.0])) == [1, 2, 0, 1]


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.integers(1, 10**6), min_size=1, max_size=200), log=st.booleans())
def test_a_histogram_counts_every_value_once(values, log):
    assert sum(heights(plots.histogram(values, log=log))) == len(values)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), max_size=50))
def test_a_histogram_of_any_numbers_counts_every_value_once(values):
    assert sum(heights(plots.histogram(values))) == len(values)


def test_a_logarithmic_histogram_leaves_out_what_has_no_logarithm():
    assert sum(heights(plots.histogram([0, -1, 3, 40], log=True))) == 2


def test_bars_stand_in_the_order_given_and_long_labels_are_cut():
    axes = plots.bars(["first", "x" * 100], [1, 2]).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "first"
    assert len(labels[1]) < 40
    assert axes.yaxis_inverted()


def test_interval_ends_are_drawn_at_their_values():
    axes = plots.intervals(["a", "b"], [1.0, 2.0], [0.5, 1.0], [3.0, 2.5]).axes[0]
    segments = axes.collections[0].get_segments()
    assert [segment[:, 0].tolist() for segment in segments] == [[0.5, 3.0], [1.0, 2.5]]


@pytest.mark.parametrize(("value", "text"), [(0.08, "8%"), (0.125, "12.5%"), (1, "100%")])
def test_shares_are_shown_in_per_cent(value, text):
    axes = plots.columns(["a"], [0.5], percent=True).axes[0]
    assert axes.yaxis.get_major_formatter()(value, None) == text


def test_plots_leave_no_global_state():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.line([1, 2], [3, 4])
    assert dict(matplotlib.rcParams) == before
