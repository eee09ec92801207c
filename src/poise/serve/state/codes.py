"""Numbers for names, so that what is remembered of many people takes little room."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from weakref import ref

import numpy as np

from poise.data.vocabulary import Vocabulary
from poise.types import Indices

_CATALOGUES = 3  # whose indices are kept: that which is served, and those of runs that are compared


class Codes:
    """Numbers from 1 for names, given as they come and never changed; known to the catalogue or not."""

    def __init__(self) -> None:
        self.names: list[str] = [""]
        self._codes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._tables: list[tuple[ref[Vocabulary], Indices]] = []  # the index of each code in a catalogue

    def of(self, names: Iterable[str]) -> Indices:
        """Return the number of each name, int32 ``[n]``."""
        known, names = self._codes, list(names)
        codes = list(map(known.get, names))
        if None in codes:
            with self._lock:
                for name in names:
                    if name not in known:
                        self.names.append(name)
                        known[name] = len(self.names) - 1
            codes = list(map(known.get, names))
        return np.array(codes, dtype=np.int32)

    def indices(self, item_ids: Vocabulary) -> Indices:
        """Return the index that each number has in a catalogue, int32 ``[n_codes + 1]``; 0 for what it does not know.

        A number that was given meanwhile may be missing: ask after the numbers are given.
        """
        tables = self._tables
        table = next((table for catalogue, table in tables if catalogue() is item_ids), None)
        if table is None:
            table = self._of_the_one_before(item_ids)
        n_known = len(table)
        if n_known < len(self.names):
            table = np.concatenate([table, item_ids.index(self.names[n_known:])]).astype(np.int32)
            self._keep(item_ids, table)
        return table

    def _of_the_one_before(self, item_ids: Vocabulary) -> Indices:
        """Return the indices in a catalogue that has only grown, of which only what was unknown is looked up."""
        for catalogue, table in reversed(self._tables):
            before = catalogue()
            if before is not None and item_ids.begins_with(before):
                unknown = np.flatnonzero(table == 0)
                grown = table.copy()
                grown[unknown] = item_ids.index([self.names[code] for code in unknown.tolist()])
                grown[0] = 0
                self._keep(item_ids, grown)
                return grown
        return np.zeros(1, dtype=np.int32)

    def _keep(self, item_ids: Vocabulary, table: Indices) -> None:
        others = [pair for pair in self._tables if (catalogue := pair[0]()) is not None and catalogue is not item_ids]
        self._tables = [*others[1 - _CATALOGUES :], (ref(item_ids), table)]
