from __future__ import annotations

import html
import io
import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1c2026"
MUTED = "#69707d"
GRID = "#dfe2e7"
SERIES = ("#2b65ab", "#c2611b", "#2c8460", "#8d5aa3", "#9a7b10", "#5d6b80")
"""The colours of plots. On a page each becomes a variable that the reader's colour scheme sets."""

_VARIABLES = {
    INK: "var(--ink)",
    "#000000": "var(--ink)",
    "#ffffff": "var(--paper)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)},
}


def figure_to_svg(figure: Figure, alt: str, prefix: str) -> str:
    """Return a figure as an ``<svg>`` element for a page: no script, no date, and ids that are unique to it.

    Text stays text: it is small, can be searched, and the browser finds glyphs of every script, while matplotlib's own
    font has none for Chinese.

    Args:
        figure: to convert.
        alt: a description for readers who cannot see it.
        prefix: of the ids inside; unique on the page.
    """
    import matplotlib

    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "poise"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser draws them
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # it would hold for the whole page; style.css has it
    width = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    style = f' style="max-width: {float(width[1]) / 12:.1f}rem"' if width else ""  # 12 pt are 1 rem
    box = re.search(r'viewBox="[^"]*"', svg)
    label = f'role="img" aria-label="{html.escape(alt)}"{style}'
    svg = re.sub(r"<svg[^>]*>", lambda _: f"<svg {box[0] if box else ''} {label}>", svg, count=1)
    svg = _own_ids(svg, prefix)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)  # the page's font; matplotlib's is not there
    svg = re.sub(r"#[0-9a-fA-F]{6}\b", lambda colour: _VARIABLES.get(colour[0].lower(), colour[0]), svg)
    return re.sub(r"\n\s*", "\n", svg).strip()


def _own_ids(svg: str, prefix: str) -> str:
    """Drop ids that nothing refers to and make the others unique to this figure."""
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: f' id="{prefix}-{match[1]}"' if match[1] in used else "", svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{prefix}-", svg)
