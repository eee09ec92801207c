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
"""How a remark is meant; shown by colour, by a sign and, to a screen reader, by a word."""

_WIDE_INCHES = 6.5  # a figure at least as wide stands alone in its row


class Page:
    """A report in one HTML file that asks nothing of the network: light and dark, wide and narrow, on paper too.

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
        """Add a paragraph; whatever looks like markup in it is shown as it is written."""
        self._blocks.append({"kind": "text", "text": paragraph, "tone": tone})

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        caption: str = "",
        best: Mapping[int, Literal["max", "min"]] | None = None,
    ) -> None:
        """Add a table that is sorted by a click on a header.

        Args:
            columns: the headers.
            rows: the cells; None and NaN show as a dash. A column of numbers is set flush right, with as many decimals
                as its size asks for; give a text for a format of your own. The first column names the row.
            caption: what the table shows.
            best: by position of a column, which of its values is the best and stands in bold.

        Raises:
            UsageError: a row has more or fewer cells than there are columns.
        """
        for row in rows:
            if len(row) != len(columns):
                raise UsageError(f"a row has {len(row)} cells, the table {caption!r} has {len(columns)} columns")
        self._blocks.append({"kind": "table", "caption": caption, **make_table(columns, rows, best or {})})

    def figure(self, figure: Figure, caption: str, alt: str) -> None:
        """Add a plot as inline SVG. Narrow figures that follow one another stand side by side where there is room.

        Args:
            figure: best made by :mod:`poise.report.plots`; of any other, black, white and the house colours follow
                the reader's light or dark scheme.
            caption: what stands below it.
            alt: what it shows, for those who cannot see it.
        """
        self._n_figures += 1
        width = float(figure.get_figwidth())
        shown = {
            "svg": figure_to_svg(figure, alt, f"figure-{self._n_figures}"),
            "caption": caption,
            "wide": width >= _WIDE_INCHES,
        }
        if not self._blocks or self._blocks[-1]["kind"] != "figures":
            self._blocks.append({"kind": "figures", "figures": []})
        self._blocks[-1]["figures"].append(shown)

    def html(self, fragment: str) -> None:
        """Add markup as it is. It must be trusted: escape whatever comes from data with :func:`html.escape`."""
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
        """Write the page to a file, whole or not at all."""
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
