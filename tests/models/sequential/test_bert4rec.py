from __future__ import annotations

import numpy as np
import pytest
import torch

from poise.data.dataset import Dataset
from poise.errors import UsageError
from poise.models import BERT4Rec
from poise.models.nn.transformer_blocks import Block
from poise.models.sequential.bert4rec import BidirectionalTransformer
from poise.train.batches.sequences import MASKED, EventTensors


@pytest.mark.parametrize("block", ["ligr", "classic"])
def test_bert4rec_attends_both_ways_and_not_to_padding(block: Block) -> None:
    torch.manual_seed(0)
    body = BidirectionalTransformer(16, 2, 2, 6, 0.2, block).eval()
    x = torch.randn(2, 6, 16)
    items = torch.tensor([[5, 7, MASKED, 0, 0, 0], [5, 7, 3, 8, 2, 3]])
    events = EventTensors(items, items, items, items)
    read = body(x, events)
    cut = EventTensors(*(column[:1, :3] for column in (items, items, items, items)))
    torch.testing.assert_close(read[:1, :3], body(x[:1, :3], cut))
    changed = x.clone()
    changed[0, 3:] = torch.randn(3, 16)
    changed[1, 5] = torch.randn(16)
    again = body(changed, events)
    torch.testing.assert_close(read[0, :3], again[0, :3])
    assert not torch.allclose(read[1, 0], again[1, 0], atol=1e-3)


def test_bert4rec_predicts_a_masked_event_after_the_history(films: Dataset) -> None:
    model = BERT4Rec(dim=8, heads=2, max_length=4, epochs=1, negatives=8).fit(films)
    queries = films.queries(["u03"])
    items, behaviours, times = (
        torch.from_numpy(column[None, queries.stop[0] - 4 : queries.stop[0]].astype(np.int64))
        for column in (queries.events.item, queries.events.behaviour, queries.events.timestamp)
    )
    end = torch.zeros(1, 1, dtype=torch.int64)
    items, behaviours, times = (torch.cat(pair, 1) for pair in ((items, end + MASKED), (behaviours, end), (times, end)))
    with torch.no_grad():
        vectors = model.table[items.clamp(min=0)]  # [1, 5, dim]
        read = model.network(vectors, EventTensors(items, behaviours, times, torch.zeros_like(times)))
        expected = (read[0, 4] @ model.table.T).numpy()
    np.testing.assert_allclose(model.score(queries)[0, 1:-1], expected[1:-1], rtol=1e-5, atol=1e-6)


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(UsageError, match="BERT4Rec: 4 heads"):
        BERT4Rec(dim=10)
