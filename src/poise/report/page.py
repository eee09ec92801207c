from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from poise._version import __version__
from poise.errors import UsageError
from poise.files import atomic_file
from poise.report.svg import figure_to_svg
from poise.report.table import make_table

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

Tone = Literal["plain", "good", "warning", "bad"]
"""The tone of a remark; shown by colour, by a sign and, to a screen reader, by a word."""

_WIDE_INCHES = 6.5  # a figure at least as wide has its own row


class Page:
    """A report in one self-contained HTML file, for light and dark, wide and narrow screens and for print.

    Args:
        title: what the page is about.
        subtitle: one line below the title.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title = title
        self.subtitle = subtitle
        self._contents: list[tuple[str, str]] = []  # anchor, heading
        self._blocks: list[dict[str, Any]] = []
        self._n_figures = 0

    def heading(self, text: str) -> None:
        """Begin a section, with an anchor and an entry in the table of contents."""
        slug = re.sub(r"\W+", "-", text.lower()).strip("-") or "section"
        taken = {anchor for anchor, _ in self._contents}
        anchor, number = slug, 2
        while anchor in taken:
            anchor, number = f"{slug}-{number}", number + 1
        self._contents.append((anchor, text))
        self._blocks.append({"kind": "heading", "anchor": anchor, "text": text})

    def text(self, paragraph: str, tone: Tone = "plain") -> None:
        """Add a paragraph; markup in it is escaped."""
        self._blocks.append({"kind": "text", "text": paragraph, "tone": tone})

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        caption: str = "",
        best: Mapping[int, Literal["max", "min"]] | None = None,
    ) -> None:
        """Add a table that a click on a header sorts.

        Args:
            columns: the headers.
            rows: the cells; None and NaN show as a dash. A column of numbers is right-aligned, with decimals by size;
                give texts for another format. The first column names the row.
            caption: what the table shows.
            best: by position of a column, which of its values is the best and printed in bold.

        Raises:
            UsageError: a row has more or fewer cells than there are columns.
        """
        for row in rows:
            if len(row) != len(columns):
                raise UsageError(f"a row has {len(row)} cells, the table {caption!r} has {len(columns)} columns")
        self._blocks.append({"kind": "table", "caption": caption, **make_table(columns, rows, best or {})})

    def figure(self, figure: Figure, caption: str, alt: str) -> None:
        """Add a plot as inline SVG. Narrow figures in a row are placed side by side where there is room.

        Args:
            figure: preferably of :mod:`poise.report.plots`; of others, black, white and the colours of ``SERIES``
                follow the reader's light or dark scheme.
            caption: the text below it.
            alt: a description for readers who cannot see it.
        """
        self._n_figures += 1
        width = float(figure.get_figwidth())
        entry = {
            "svg": figure_to_svg(figure, alt, f"figure-{self._n_figures}"),
            "caption": caption,
            "wide": width >= _WIDE_INCHES,
        }
        if not self._blocks or self._blocks[-1]["kind"] != "figures":
            self._blocks.append({"kind": "figures", "figures": []})
        self._blocks[-1]["figures"].append(entry)

    def html(self, fragment: str) -> None:
        """Add trusted markup; escape data with :func:`html.escape`."""
        self._blocks.append({"kind": "html", "fragment": fragment})

    def render(self) -> str:
        """Return the whole page; the same calls give the same text."""
        return _template().render(
            title=self.title,
            subtitle=self.subtitle,
            contents=self._contents,
            blocks=self._blocks,
            version=__version__,
        )

    def write(self, path: Path | str) -> None:
        """Write the page to a file, atomically."""
        page = self.render()
        with atomic_file(path) as temporary:
            temporary.write_text(page, encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("poise.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
