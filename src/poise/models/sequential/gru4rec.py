from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.models.sequential.sequence_model import SequenceModel
from poise.recommender import OPTIONS

if TYPE_CHECKING:
    from poise.models.nn.recurrent import Recurrent


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class GRU4Rec(SequenceModel):
    """A recurrent network that carries what it has read of a person from event to event, and says what is next.

    What all sequence models share, what an item is and how they learn, stands in
    :class:`~poise.models.sequential.sequence_model.SequenceModel`.

    The sources are Hidasi, Karatzoglou, Baltrunas and Tikk, *Session-based Recommendations with Recurrent Neural
    Networks*, 2016, and Hidasi and Karatzoglou, *Recurrent Neural Networks with Top-k Gains for Session-based
    Recommendations*, 2018, which shares vectors between what is read and what is scored, and draws more negatives.

    Args:
        layers: of gated recurrent units, one upon the other.
    """

    layers: Annotated[int, Ge(1)] = 1

    def _body(self) -> Recurrent:
        from poise.models.nn.recurrent import Recurrent

        return Recurrent(self.dim, self.layers, self.data_defaults.dropout)
