"""Finding items by what was typed: by their words and by their vectors, together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from poise.encoders.passage import compose
from poise.encoders.text import TextEncoder
from poise.serve.catalogue.bm25_index import BM25Index
from poise.serve.catalogue.catalogue import Catalogue
from poise.serve.catalogue.item_vectors import ItemVectors
from poise.top_k import top_k
from poise.types import Doubles, Floats, Indices

DEPTH = 100  # how far down each of the two rankings is looked at
_SMOOTH = 60.0  # the constant of reciprocal rank fusion


class ItemSearch:
    """The words and the vectors of a catalogue's items, by index; grows with it.

    Args:
        encoder: of texts; None to find by words alone.
    """

    def __init__(self, encoder: TextEncoder | None) -> None:
        self.words = BM25Index()
        self.item_vectors = ItemVectors(encoder)

    def put(self, catalogue: Catalogue, items: Sequence[int]) -> None:
        """Take in the words of items, in place of what they said before."""
        if not items:
            return
        passages = compose(catalogue.dataset(), field_names=False)
        for item in items:
            self.words.put(item, passages[item - 1])

    def search(self, query: str, catalogue: Catalogue, k: int, *, semantic: bool) -> tuple[Indices, Floats]:
        """Return the items that fit best, and how well.

        Both rankings count by the places they give: the source is Cormack, Clarke and Büttcher, *Reciprocal Rank Fusion
        outperforms Condorcet and individual Rank Learning Methods*, 2009.

        Args:
            query: what was typed.
            catalogue: to search.
            k: how many items.
            semantic: whether to go by vectors too, which takes the encoder's time.
        """
        size = catalogue.item_ids.size
        by_words = self.words.scores(query, size)
        rankings = [np.where(by_words > 0, by_words, -np.inf)]
        if semantic and (cosines := self.item_vectors.scores(query, size)) is not None:
            rankings.append(np.where(cosines > 0, cosines, -np.inf))
        fused: Doubles = np.zeros(size)
        for scores in rankings:
            hidden = np.where(catalogue.available, scores, -np.inf).astype(np.float32)
            best, values = top_k(hidden[None], min(max(DEPTH, k), size))
            real = values[0] > -np.inf
            fused[best[0][real]] += 1 / (_SMOOTH + 1 + np.arange(int(real.sum())))
        best_items, values = top_k(np.where(fused > 0, fused, -np.inf).astype(np.float32)[None], min(k, size))
        return best_items[0][best_items[0] > 0], values[0][best_items[0] > 0]
