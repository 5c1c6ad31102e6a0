from __future__ import annotations

import json
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load

from recurro.errors import RunError
from recurro.train.checkpoint import pack, pack_weights, unpack, unpack_weights

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(trees)
def test_every_nested_value_comes_back_equal_and_of_its_kind(tree):
    back = unpack(pack(tree), "here")
    assert back == tree
    assert repr(back) == repr(tree)  # 1 is not True, () is not []


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        torch.float64,
        torch.bfloat16,
        torch.int64,
        torch.uint8,
        torch.bool,
    ],
)
def test_tensors_come_back_bit_for_bit(dtype):
    generator = torch.Generator().manual_seed(0)
    tensor = torch.randn(3, 4, generator=generator).mul(3).to(dtype)
    tree = {0: (tensor, [tensor.T, tensor[1, 2]]), "empty": tensor[:0]}
    back = unpack(pack(tree), "here")
    assert torch.equal(back[0][0], tensor)
    assert torch.equal(back[0][1][0], tensor.T)
    assert torch.equal(back[0][1][1], tensor[1, 2])
    assert back["empty"].shape == (0, 4)
    assert back[0][0].dtype == dtype


def test_special_floats_survive():
    tree = [float("inf"), -0.0, 5e-324, 0.1 + 0.2]
    assert repr(unpack(pack(tree), "here")) == repr(tree)
    nan = torch.tensor([float("nan"), -float("inf")])
    assert torch.equal(
        unpack(pack(nan), "here").view(torch.int32), nan.view(torch.int32)
    )


def test_what_would_need_pickle_is_refused():
    with pytest.raises(TypeError, match="set cannot be written"):
        pack({"a": {1, 2}})


def test_weights_are_a_plain_safetensors_file_even_when_tied():
    tied = torch.ones(2, 2)
    data = pack_weights({"embed.weight": tied, "head.weight": tied})
    assert sorted(load(data)) == ["embed.weight", "head.weight"]
    assert torch.equal(unpack_weights(data, "here")["head.weight"], tied)


def test_equal_values_give_equal_bytes():
    tree = {"a": torch.arange(4.0), "b": [torch.ones(2), "two"]}
    assert pack(tree) == pack(tree)


def test_a_changed_byte_anywhere_is_seen():
    data = pack({"a": torch.arange(4.0), "b": [1, "two"]})
    for position in range(8, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            back = unpack(bytes(changed), "FILE")
        except RunError as error:
            assert "FILE" in str(error)
        else:  # only padding of the header may change without harm
            assert chr(data[position]) == " "
            assert torch.equal(back["a"], torch.arange(4.0))


@pytest.mark.parametrize("length", [0, 4, 8, 60, -1])
def test_a_file_cut_short_is_seen(length):
    data = pack({"a": torch.arange(4.0)})
    with pytest.raises(RunError, match=r"FILE: must be as recurro wrote it"):
        unpack(data[:length], "FILE")


def test_a_newer_format_says_upgrade():
    data = pack({"a": torch.arange(4.0)})
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    note = json.loads(header["__metadata__"]["recurro"])
    header["__metadata__"]["recurro"] = json.dumps({**note, "format": 2})
    text = json.dumps(header).encode()
    newer = struct.pack("<Q", len(text)) + text + data[8 + length :]
    with pytest.raises(RunError, match=r"got 2\. Upgrade recurro"):
        unpack(newer, "FILE")
