"""What people did, as rows of equal length: what sequence models read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from poise.data.event_log import EventLog
from poise.types import Offsets

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MASKED = -1
"""Stands for an item that is to be guessed."""


@dataclass(frozen=True)
class Sequences:
    """Events in rows, oldest first, padded at the end.

    Attributes:
        items: int64 ``[batch, time]``; 0 pads, ``MASKED`` is to be guessed.
        behaviours: int64 ``[batch, time]``, codes from 1; 0 pads.
        times: int64 ``[batch, time]``, when each event happened, in milliseconds since 1970; 0 if that is not known.
        asked: int64 ``[batch, time]``, when the request after each event was made; 0 if that is not known.
    """

    items: Offsets
    behaviours: Offsets
    times: Offsets
    request_times: Offsets

    @classmethod
    def of(cls, log: EventLog, positions: Offsets, request_times: Offsets) -> Sequences:
        """Gather the events that stand at ``positions``, int64 ``[batch, time]``, of a log; -1 pads."""
        real = positions >= 0
        index = np.where(real, positions, 0)

        def column(values: np.typing.NDArray[np.generic]) -> Offsets:
            if not len(values):
                return np.zeros(index.shape, dtype=np.int64)
            return np.where(real, values[index], 0).astype(np.int64)

        return cls(column(log.item), column(log.behaviour), column(log.timestamp), request_times)

    def to(self, device: torch.device) -> EventTensors:
        """Return the same as tensors on a device."""
        import torch

        columns = (self.items, self.behaviours, self.times, self.request_times)
        return EventTensors(*(torch.from_numpy(column).to(device) for column in columns))


@dataclass(frozen=True)
class EventTensors:
    """:class:`Sequences` as tensors."""

    items: Tensor
    behaviours: Tensor
    times: Tensor
    request_times: Tensor

    @property
    def real(self) -> Tensor:
        """Which places hold an event, bool ``[batch, time]``."""
        return self.items != 0


def rows(start: Offsets, stop: Offsets) -> Offsets:
    """Return the positions that slices ``start[i]:stop[i]`` cover, int64 ``[n, longest]``, -1 at the end of rows."""
    place = np.arange(max(int((stop - start).max(initial=0)), 1))
    positions = start[:, None] + place
    return np.where(positions < stop[:, None], positions, -1)
