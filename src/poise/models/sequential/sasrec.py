from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge
from pydantic.dataclasses import dataclass

from poise.errors import UsageError
from poise.models.sequential.sequence_model import SequenceModel
from poise.recommender import OPTIONS

if TYPE_CHECKING:
    from poise.models.nn.transformer import Transformer


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class SASRec(SequenceModel):
    """Self-attentive sequential recommendation: a causal transformer that reads what people did and says what is next.

    What all sequence models share, what an item is and how they learn, stands in
    :class:`~poise.models.sequential.sequence_model.SequenceModel`.

    The source is Kang and McAuley, *Self-Attentive Sequential Recommendation*, 2018. Sampled softmax in place of its
    loss is from Klenitskiy and Vasilev, *Turning Dross Into Gold Loss: Is BERT4Rec Really Better than SASRec?*, 2023,
    and the gated blocks from Tikhonovich et al., *eSASRec: Enhancing Transformer-Based Recommendations in a Modular
    Fashion*, 2025.

    Args:
        block: how a layer is built: ``ligr`` with gates and SwiGLU, or ``classic``.
        blocks: the number of layers; None takes what suits the log.
        heads: of attention; they divide ``dim``.
    """

    block: Literal["ligr", "classic"] = "ligr"
    blocks: Annotated[int, Ge(1)] | None = None
    heads: Annotated[int, Ge(1)] = 4

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise UsageError(f"SASRec: {self.heads} heads do not divide dim {self.dim}; choose others")

    def _body(self) -> Transformer:
        from poise.models.nn.transformer import Transformer

        return Transformer(
            self.dim,
            self.data_defaults.blocks,
            self.heads,
            self.data_defaults.max_length,
            self.data_defaults.dropout,
            self.block,
        )
