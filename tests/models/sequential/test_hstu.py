from __future__ import annotations

import numpy as np
import pytest
import torch

from poise.errors import UsageError
from poise.models import HSTU
from poise.models.nn.event_embedding import GAPS
from poise.models.sequential.hstu import PointwiseAttention, PointwiseTransducer, gaps
from poise.train.batches.sequences import EventTensors
from poise.types import Floats


def _silu(x: Floats) -> Floats:
    return np.asarray(x / (1 + np.exp(-x)))


def _normal(x: Floats, eps: float) -> Floats:
    return np.asarray((x - x.mean()) / np.sqrt(x.var() + eps))


def test_pointwise_attention_agrees_with_the_paper() -> None:
    torch.manual_seed(0)
    dim, heads, length = 8, 2, 5
    layer = PointwiseAttention(dim, heads, 6, 0.0, timed=True).double().eval()
    for parameter in (layer.distance_bias, layer.gap_bias):
        assert parameter is not None
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, length, dim, dtype=torch.float64)
    seen = torch.ones(1, length, length, dtype=torch.bool).tril()
    seen[:, :, 1] = False
    gap = torch.randint(0, GAPS + 1, (1, length, length))
    with torch.no_grad():
        output = layer(x, seen, gap)[0].numpy()

    state = {name: value.numpy() for name, value in layer.state_dict().items()}
    rows = x[0].numpy()
    width = dim // heads
    made = [_silu(state["project.weight"] @ _normal(row, 1e-5) + state["project.bias"]) for row in rows]
    gates, values, queries, keys = (
        [row[part * dim : (part + 1) * dim].reshape(heads, width) for row in made] for part in range(4)
    )
    for now in range(length):
        past = [index for index in range(now + 1) if index != 1]
        mixed = np.zeros((heads, width))
        for head in range(heads):
            for index in past:
                bias = state["distance_bias"][now - index] + state["gap_bias"][gap[0, now, index]]
                weight = _silu(queries[now][head] @ keys[index][head] + bias) / len(past)
                mixed[head] += weight * values[index][head]
        gated = _normal(mixed.ravel(), 1e-6) * gates[now].ravel()
        expected = rows[now] + state["out.weight"] @ gated + state["out.bias"]
        np.testing.assert_allclose(output[now], expected, atol=1e-9)


def test_time_gaps_are_bucketed_by_octaves() -> None:
    second = 1_000
    times = torch.tensor([[1, 2, 4, 9]]) * second
    moments = torch.tensor([[0, 2 * second, 4 * second, 10**15]])
    assert gaps(moments, times).tolist() == [[[0, 0, 0, 0], [2, 1, 1, 1], [3, 2, 1, 1], [GAPS] * 4]]


@pytest.mark.parametrize("time_features", ["none", "history", "request"])
def test_padding_does_not_change_hstu(time_features: str) -> None:
    torch.manual_seed(0)
    body = PointwiseTransducer(16, 2, 2, 10, 0.0, time_features).eval()  # type: ignore[arg-type]
    x = torch.randn(2, 6, 16)
    items = torch.tensor([[5, 0, 7, 8, 0, 0], [5, 0, 7, 8, 2, 3]])
    times = torch.tensor([[5, 6, 7, 8, 0, 0], [5, 6, 7, 8, 9, 30]]) * 1_000
    request_times = torch.tensor([[6, 7, 8, 9, 0, 0], [6, 7, 8, 9, 30, 31]]) * 1_000
    x[1, :4] = x[0, :4]
    read = body(x, EventTensors(items, items, times, request_times))
    torch.testing.assert_close(read[0, :4], read[1, :4])
    other = x.clone()
    other[:, 1] = torch.randn(2, 16)
    again = body(other, EventTensors(items, items, times, request_times))
    torch.testing.assert_close(read[:, 2:4], again[:, 2:4])


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(UsageError, match="HSTU: 4 heads"):
        HSTU(dim=10)
