"""Put recurro's layers in the place of PyTorch's in a model that already exists.

A layer stays the object that it is: only its class changes. So whatever refers to it or
to its parameters (optimisers, hooks, other modules, lists) goes on as before.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from recurro import cells
from recurro.engine.backends import BACKENDS, Backend
from recurro.errors import ArgumentError
from recurro.nn import cell_layers, layers

Model = TypeVar("Model", bound=nn.Module)

_OURS: dict[type[nn.Module], tuple[type[nn.Module], Callable[[Any], cells.Cell]]] = {
    nn.LSTM: (layers.LSTM, lambda layer: cells.LSTM(proj_size=layer.proj_size)),
    nn.GRU: (layers.GRU, lambda layer: cells.GRU()),
    nn.RNN: (layers.RNN, lambda layer: cells.Elman(layer.nonlinearity)),
    nn.LSTMCell: (cell_layers.LSTMCell, lambda layer: cells.LSTM()),
    nn.GRUCell: (cell_layers.GRUCell, lambda layer: cells.GRU()),
    nn.RNNCell: (cell_layers.RNNCell, lambda layer: cells.Elman(layer.nonlinearity)),
}
"""Our class for each of PyTorch's, and the cell of such a layer."""

_THEIRS = {ours: theirs for theirs, (ours, _) in _OURS.items()}

_CACHES = ("_flat_weights", "_flat_weight_refs")
"""What PyTorch's layers keep for cuDNN; made anew when a layer goes back."""


def accelerate(model: Model, *, backend: Backend = "auto") -> Model:
    """Run the LSTM, GRU and RNN layers of a model, and their cells, by recurro.

    Parameters, their names in the ``state_dict``, hooks, device, type and mode stay as
    they are, and so do the arguments and results of each layer, packed sequences among
    them. The model's text (``print(model)``) shows ``accelerated=True`` at each layer
    that was changed. A subclass of PyTorch's layers is left alone and named in a
    warning, as its code may rely on what it inherits; so is a layer with
    parametrizations of ``torch.nn.utils.parametrize``: put them on afterwards.

    Args:
        model: Any module; changed in place.
        backend: ``auto``, ``reference``, ``vendor`` or ``cpu``, for each layer.

    Returns:
        The model.

    Raises:
        ArgumentError: If it is no module, or there is no such backend.

    Example:
        >>> accelerate(nn.Sequential(nn.Linear(3, 4), nn.GRU(4, 5, batch_first=True)))
        Sequential(
          (0): Linear(in_features=3, out_features=4, bias=True)
          (1): GRU(4, 5, batch_first=True, accelerated=True)
        )
    """
    _check(model, "accelerate")
    if backend not in BACKENDS:
        raise ArgumentError(
            f"accelerate: backend must be one of {', '.join(BACKENDS)}, got "
            f"{backend!r}."
        )
    found = False
    for name, module in list(model.named_modules()):
        layer: Any = module
        if type(layer) in _OURS:
            _swap(layer, backend)
        elif _is_accelerated(layer):
            layer.backend = backend
        elif isinstance(layer, tuple(_OURS)):
            _warn(f"{_title(name, layer)}, a subclass of PyTorch's, was left alone.")
        else:
            continue
        found = True
    if not found:
        _warn("the model has no LSTM, GRU or RNN of torch.nn; nothing was changed.")
    return model


def deaccelerate(model: Model) -> Model:
    """Undo ``accelerate``: every layer that it changed is PyTorch's again.

    Args:
        model: Any module; changed in place.

    Returns:
        The model.

    Raises:
        ArgumentError: If it is no module, or a layer was parametrized meanwhile;
            nothing is changed then.

    Example:
        >>> deaccelerate(accelerate(nn.LSTMCell(3, 4)))
        LSTMCell(3, 4)
    """
    _check(model, "deaccelerate")
    changed = [(n, m) for n, m in model.named_modules() if _is_accelerated(m)]
    for name, module in changed:
        if type(module) not in _THEIRS:
            raise ArgumentError(
                f"deaccelerate: each layer must be as accelerate left it, got "
                f"{_title(name, module)}. Remove its parametrizations first."
            )
    for _, module in changed:
        _restore(module)
    return model


def _check(model: nn.Module, where: str) -> None:
    if not isinstance(model, nn.Module):
        raise ArgumentError(
            f"{where}: model must be an nn.Module, got {type(model).__name__}."
        )


def _is_accelerated(module: nn.Module) -> bool:
    return getattr(module, "accelerated", False) is True


def _title(name: str, module: nn.Module) -> str:
    return f"{name or 'the model itself'} ({type(module).__name__})"


def _swap(layer: Any, backend: Backend) -> None:  # noqa: ANN401 (its class changes)
    ours, cell = _OURS[type(layer)]
    for name in _CACHES:
        vars(layer).pop(name, None)
    layer.__class__ = ours
    layer.assemble(cell(layer), backend)
    layer.accelerated = True


def _restore(layer: nn.Module) -> None:
    layer.__class__ = _THEIRS[type(layer)]
    for name in ("_stack", "_part", "backend", "accelerated"):
        vars(layer).pop(name, None)
    if isinstance(layer, nn.RNNBase):
        layer._init_flat_weights()


def _warn(what: str) -> None:
    warnings.warn(f"accelerate: {what}", stacklevel=3)
