"""What is asked for at one place of each row is what stands there when all places are asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from poise.models.nn.sequence_network import SequenceNetwork
from poise.models.sequential.bert4rec import BidirectionalTransformer
from poise.models.sequential.gru4rec import Recurrent
from poise.models.sequential.sasrec import Transformer
from poise.train.batches.sequences import EventTensors


@pytest.mark.parametrize(
    "body",
    [
        lambda: Recurrent(16, 2, 0.2),
        lambda: Transformer(16, 1, 2, 10, 0.2, "ligr"),
        lambda: Transformer(16, 3, 2, 10, 0.2, "classic"),
        lambda: BidirectionalTransformer(16, 2, 2, 10, 0.2, "ligr"),
    ],
    ids=["Recurrent", "Transformer, ligr", "Transformer, classic", "Bidirectional"],
)
def test_a_single_position_agrees_with_all_positions(body: Any) -> None:
    torch.manual_seed(0)
    network = SequenceNetwork(16, 1, "none", body()).eval()
    lengths = torch.tensor([10, 4, 1])
    items = (torch.arange(10) < lengths[:, None]).long()
    events = EventTensors(items, items, torch.arange(10).repeat(3, 1) * 3_600_000 * items, items)
    x = torch.randn(3, 10, 16)
    single = network(x, events, lengths - 1)
    assert single.shape == (3, 1, 16)
    torch.testing.assert_close(single[:, 0], network(x, events)[torch.arange(3), lengths - 1])
