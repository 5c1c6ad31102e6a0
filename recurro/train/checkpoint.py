"""Nested values to bytes and back, without pickle, with a checksum inside.

The bytes are a safetensors file. What is no tensor stands as JSON in its metadata,
beside a SHA-256 of everything, so that a changed byte anywhere is seen on reading.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from recurro.errors import RunError

__all__ = ["FORMAT", "Tree", "pack", "pack_weights", "unpack", "unpack_weights"]

FORMAT = 1
"""The version of everything written into a run folder."""

Tree: TypeAlias = Any
"""``None``, bool, int, float, str, tensors; lists, tuples and dicts of trees."""


def pack(value: Tree) -> bytes:
    """Turn nested dicts, lists, tuples, scalars and tensors into bytes.

    Args:
        value: The tree; a tensor inside may be on any device.

    Raises:
        TypeError: If something else is inside.

    Example:
        >>> unpack(pack({"state": (torch.ones(2), None), 3: [0.1]}), "here")
        {'state': (tensor([1., 1.]), None), 3: [0.1]}
    """
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_encode(value, tensors))
    return _seal(tensors, tree)


def unpack(data: bytes, where: str) -> Tree:
    """Turn the bytes of ``pack`` back into equal values, tensors on the CPU.

    Args:
        data: The bytes.
        where: The file's name, for the error.

    Raises:
        RunError: If the bytes are damaged, changed, or of a newer version.
    """
    tensors, tree = _open(data, where)
    return _decode(json.loads(tree), tensors)


def pack_weights(weights: Mapping[str, Tensor]) -> bytes:
    """Turn a ``state_dict`` into a safetensors file that any reader can open.

    Example:
        >>> unpack_weights(pack_weights({"weight": torch.ones(2)}), "here")
        {'weight': tensor([1., 1.])}
    """
    return _seal(dict(weights), "{}")


def unpack_weights(data: bytes, where: str) -> dict[str, Tensor]:
    """Turn the bytes of ``pack_weights`` back into a ``state_dict``, on the CPU.

    Raises:
        RunError: If the bytes are damaged, changed, or of a newer version.
    """
    return _open(data, where)[0]


def _encode(value: Tree, tensors: dict[str, Tensor]) -> Tree:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, tuple):
        return {"tuple": [_encode(part, tensors) for part in value]}
    if isinstance(value, list):
        return [_encode(part, tensors) for part in value]
    if isinstance(value, Mapping):
        pairs = [[_encode(k, tensors), _encode(v, tensors)] for k, v in value.items()]
        return {"dict": pairs}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"pack: {type(value).__name__} cannot be written without pickle.")


def _decode(tree: Tree, tensors: dict[str, Tensor]) -> Tree:
    if isinstance(tree, list):
        return [_decode(part, tensors) for part in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, body),) = tree.items()
    if kind == "tensor":
        return tensors[body]
    if kind == "tuple":
        return tuple(_decode(part, tensors) for part in body)
    return {_decode(k, tensors): _decode(v, tensors) for k, v in body}


def _digest(tensors: Mapping[str, Tensor], tree: str, version: int) -> str:
    digest = hashlib.sha256(f"{version} {tree}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _seal(tensors: dict[str, Tensor], tree: str) -> bytes:
    # A copy each, since safetensors refuses tensors that share memory (tied weights).
    copies = {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in tensors.items()
    }
    digest = _digest(copies, tree, FORMAT)
    # One key alone, since safetensors writes several in an order left to chance.
    note = json.dumps({"format": FORMAT, "sha256": digest, "tree": tree})
    return safetensors.torch.save(copies, {"recurro": note})


def _open(data: bytes, where: str) -> tuple[dict[str, Tensor], str]:
    try:
        (length,) = struct.unpack("<Q", data[:8])
        note = json.loads(data[8 : 8 + length])["__metadata__"]["recurro"]
        metadata = json.loads(note)
        version = int(metadata["format"])
        tensors = safetensors.torch.load(data) if version <= FORMAT else {}
    except (struct.error, ValueError, KeyError, TypeError, SafetensorError):
        raise RunError(_damaged(where)) from None
    if version > FORMAT:
        raise RunError(
            f"{where}: must be of format {FORMAT} or older, got {version}. Upgrade "
            "recurro to the version that wrote it."
        )
    tree = metadata.get("tree", "")
    if _digest(tensors, tree, version) != metadata.get("sha256"):
        raise RunError(_damaged(where))
    return tensors, tree


def _damaged(where: str) -> str:
    return (
        f"{where}: must be as recurro wrote it, got a damaged or changed file. Put it "
        "back from a copy, or train anew in another folder."
    )
