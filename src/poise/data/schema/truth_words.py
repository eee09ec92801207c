"""Words for yes and no in columns of labels: ``true``, ``ja``, ``是``, ``up``, in several languages."""

from __future__ import annotations

import polars as pl

_YES = "1 true t yes y ja j si sí oui o sim s da да evet ya tak はい 예 네 是 对 有 ✓ ✔ x on".split()  # noqa: SIM905
_NO = "0 false f no n nein nee non não nao nu нет hayır tidak nie いいえ 아니오 否 不 无 off".split()  # noqa: SIM905
_UP = "up upvote thumbs_up thumbsup 👍 + +1 赞".split()  # noqa: SIM905
_DOWN = "down downvote thumbs_down thumbsdown 👎 -1 踩".split()  # noqa: SIM905
LABELS = {
    **dict.fromkeys(_YES, 1.0),
    **dict.fromkeys(_NO, 0.0),
    **dict.fromkeys(_UP, 1.0),
    **dict.fromkeys(_DOWN, -1.0),
}
"""The label that each word stands for: 1 for yes, 0 for no, -1 for a thumb down."""


def to_labels(column: pl.Series) -> pl.Series | None:
    """Return a column of words for yes and no as numbers; None if it holds anything else, or numbers alone."""
    if column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return None
    words = column.str.strip_chars().str.to_lowercase()
    distinct = set(words.drop_nulls().unique().to_list()) - {""}
    if not distinct or not distinct <= LABELS.keys() or distinct <= {"0", "1", "-1"}:
        return None
    return words.replace_strict(LABELS, default=None, return_dtype=pl.Float64)
