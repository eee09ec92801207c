from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from poise.errors import UsageError
from poise.report import Page, plots

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Reader(HTMLParser):
    """Notes tags and ids, and that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def full_page() -> Page:
    page = Page("Title & <more>", "below")
    for name in ("One", "Two", "One", "流浪地球"):
        page.heading(name)
        page.text("plain <b>not bold</b>")
    page.text("careful", tone="warning")
    page.table(["model", "score", "n"], [["a", 0.5, 10], ["b", 0.25, 2000], ["c", None, 3]], best={1: "max", 2: "min"})
    values = np.arange(1, 30)
    for figure in (
        plots.bars(["x", "costs $5 and $6"], [0.1, 0.2], low=[0, 0.1], high=[0.2, 0.3], percent=True),
        plots.columns(["a", "b"], [1, 2]),
        plots.intervals(["流浪", "y"], [0.1, 0.2], [0.0, 0.1], [0.3, 0.3], reference=0),
        plots.histogram(values, log=True),
        plots.line(values, {"p": values, "q": 1 / values}, log=True),
        plots.line(np.arange("2020-01", "2022-06", dtype="datetime64[M]"), values, fill=True, size=(10, 3)),
    ):
        page.figure(figure, "caption", 'a "plot" & more')
    page.html("<div>own markup</div>")
    return page


def test_a_page_is_well_formed_and_its_ids_are_unique():
    page = full_page().render()
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    targets = re.findall(r'(?:href="|url\()#([^")]+)', page)
    assert targets
    assert set(targets) <= set(reader.ids)
    assert ("html", {"lang": "en"}) in reader.tags


def test_a_page_loads_nothing_from_the_network():
    page = full_page().render()
    reader = Reader(page)
    assert not [tag for tag, _ in reader.tags if tag in ("link", "iframe", "img")]
    assert not [attributes for tag, attributes in reader.tags if tag == "script" and attributes]
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page


def test_pages_are_deterministic():
    assert full_page().render() == full_page().render()


def test_text_is_escaped_and_markup_is_not():
    page = full_page().render()
    assert "plain &lt;b&gt;not bold&lt;/b&gt;" in page
    assert "<title>Title &amp; &lt;more&gt;</title>" in page
    assert "<div>own markup</div>" in page
    assert 'aria-label="a &quot;plot&quot; &amp; more"' in page


def test_a_tone_is_written_in_words_too():
    assert re.search(r'class="note warning"><span class="unseen">Take care: </span>careful', full_page().render())


def test_headings_of_equal_name_have_their_own_anchors():
    assert {"one", "two", "one-2", "流浪地球"} <= set(Reader(full_page().render()).ids)


def cells(columns, rows, **options) -> list[str]:
    page = Page("t")
    page.table(columns, rows, **options)
    return re.findall(
        r"<(?:td|th)(?: scope=\"row\")?(?: class=\"\w+\")?(?: data-key=\"[^\"]+\")?>(.*?)</t[dh]>", page.render()
    )


def test_numbers_of_a_column_are_written_alike():
    rows = [[0.0764, 12345, 31.5, 1234.56], [np.float32(0.5), np.int64(7), 2, 1.0]]
    assert cells(["a", "b", "c", "d"], rows) == ["0.0764", "12,345", "31.50", "1,234.6", "0.5000", "7", "2.00", "1.0"]


def test_missing_values_show_as_a_dash():
    assert cells(["a", "b", "c"], [["x", None, float("nan")], [None, 1, 0.5]]) == ["x", "–", "–", "–", "1", "0.5000"]


def test_the_best_of_a_column_is_bold_and_ties_share_it():
    rows = [["a", 1, 3], ["b", 2, 3], ["c", 2, 4]]
    actual = cells(["m", "up", "down"], rows, best={1: "max", 2: "min"})
    assert actual == [
        "a",
        "1",
        "<strong>3</strong>",
        "b",
        "<strong>2</strong>",
        "<strong>3</strong>",
        "c",
        "<strong>2</strong>",
        "4",
    ]


def test_booleans_are_written_as_yes_and_no():
    assert cells(["a", "b"], [["x", True], ["y", False]]) == ["x", "yes", "y", "no"]


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(UsageError, match=r"1 cells.*2 columns"):
        Page("t").table(["a", "b"], [["x"]])


def test_any_figure_follows_the_colour_scheme():
    figure = Figure()
    figure.subplots().set_title("流浪地球")
    page = Page("t")
    page.figure(figure, "", "plain")
    svg = re.search(r"<svg.*</svg>", page.render(), re.DOTALL)[0]
    assert "var(--ink)" in svg
    assert not re.search(r"#(000000|ffffff)", svg)
    assert "流浪地球" in svg  # text, not outlines of boxes


def test_a_page_is_written_whole(tmp_path):
    page = full_page()
    page.write(tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == page.render()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]
