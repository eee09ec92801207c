from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.errors import UsageError
from poise.models.sequential.sequence_model import SequenceModel
from poise.recommender import OPTIONS

if TYPE_CHECKING:
    from poise.models.nn.pointwise_transducer import PointwiseTransducer


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class HSTU(SequenceModel):
    """Hierarchical sequential transduction units: attention that adds up what is alike in place of averaging it.

    How strongly an event is attended to does not depend on the other events, and how far back and how long ago it was
    counts beside what it is. What all sequence models share, what an item is and how they learn, stands in
    :class:`~poise.models.sequential.sequence_model.SequenceModel`.

    The source is Zhai et al., *Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for
    Generative Recommendations*, 2024.

    Args:
        time_features: as of all sequence models; but for ``none``, how long ago an event was also counts in attention.
        blocks: the number of layers.
        heads: of attention; they divide ``dim``.
    """

    time_features: Literal["none", "history", "request"] = "history"
    blocks: Annotated[int, Ge(1)] = 2
    heads: Annotated[int, Ge(1)] = 4

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"HSTU: {self.heads} heads do not divide dim {self.dim}; choose others")

    def _body(self) -> PointwiseTransducer:
        from poise.models.nn.pointwise_transducer import PointwiseTransducer

        time_features = self.time_features if self.has_clock else "none"
        return PointwiseTransducer(
            self.dim, self.blocks, self.heads, self.data_defaults.max_length, self.data_defaults.dropout, time_features
        )
