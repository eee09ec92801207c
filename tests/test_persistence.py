from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import save_file

from poise.persistence import read_arrays

KINDS = st.sampled_from(["?", "u1", "i4", "i8", "f2", "f4", "f8"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_arrays_written_by_safetensors_are_read(data: st.DataObject, tmp_path: Path) -> None:
    shapes = npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
    arrays = {
        name: data.draw(npst.arrays(np.dtype(data.draw(KINDS)), data.draw(shapes)))
        for name in data.draw(st.lists(st.text("abc.", min_size=1), unique=True, max_size=4))
    }
    save_file(arrays, tmp_path / "some.safetensors")
    read = read_arrays(tmp_path / "some.safetensors")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert read[name].shape == array.shape
        assert read[name].tobytes() == array.tobytes()
        assert read[name].flags.writeable


@pytest.mark.parametrize("shape", [(1_100_000,), (3, 500_000), (1_049_000, 1, 2)])
def test_large_arrays_are_read_in_chunks(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    save_file({"large": array}, tmp_path / "some.safetensors")
    stored = read_arrays(tmp_path / "some.safetensors")["large"]
    assert (stored.dtype, stored.shape) == (array.dtype, array.shape)
    assert (stored == array).all()


@pytest.mark.parametrize("n_bytes", [0, 5, 40, 130])
def test_a_truncated_file_is_refused(n_bytes: int, tmp_path: Path) -> None:
    save_file({"a": np.arange(40.0)}, tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match=r"cut off|JSON|Expecting"):
        read_arrays(tmp_path / "cut")
