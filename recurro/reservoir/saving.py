"""Echo state networks as arrays and plain values, for files free of pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from recurro.errors import ArgumentError
from recurro.reservoir.bank import Bank
from recurro.reservoir.network import EchoStateNetwork
from recurro.reservoir.pool import Pool
from recurro.reservoir.targets import Form

__all__ = ["pack_network", "unpack_network"]


@dataclass(frozen=True)
class _Learnt:
    """A readout that has learnt: W_out alone, without the sums that it came from."""

    coef_: np.ndarray

    def solve(self) -> None:
        """Nothing is left to do."""

    def add(self, Z: np.ndarray, Y: np.ndarray) -> None:
        """Refuse to learn on."""
        raise ArgumentError(
            "partial_fit: the readout must have the sums of what it has seen, got a "
            "network that was loaded, with its weights alone. Fit a new one."
        )


def pack_network(network: EchoStateNetwork) -> tuple[dict[str, Any], dict[str, Any]]:
    """A fitted network as plain values and as arrays.

    Args:
        network: The network; a readout of its own is not kept, but its weights are.

    Returns:
        Values that JSON and YAML can hold, and arrays by name.

    Raises:
        NotFittedError: If it is not fitted.
    """
    coef = network.coef_
    bank, parameters = network.bank_, network.get_params(deep=False)
    del parameters["readout"]
    form = asdict(network.form_)
    classes = network.classes_.tolist() if network.classify else None
    values = {
        "parameters": {k: _plain(v) for k, v in parameters.items()},
        "form": {**form, "inputs": bank.inputs, "outputs": bank.outputs},
        "classes": classes,
    }
    arrays = {"coef": coef}
    for number, pool in enumerate(bank.pools):
        for name, matrix in (("w_in", pool.w_in), ("w_rec", pool.w_rec)):
            key = f"{number}.{name}"
            if isinstance(matrix, np.ndarray):
                arrays[key] = matrix
                continue
            arrays[f"{key}.data"] = matrix.data
            arrays[f"{key}.indices"] = matrix.indices.astype(np.int64)
            arrays[f"{key}.indptr"] = matrix.indptr.astype(np.int64)
            arrays[f"{key}.shape"] = np.array(matrix.shape)
    return values, arrays


def unpack_network(
    values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> EchoStateNetwork:
    """A fitted network from what ``pack_network`` gave.

    It predicts and generates as before; ``partial_fit`` needs a network of its own.
    """
    network = EchoStateNetwork(**values["parameters"])
    form = dict(values["form"])
    inputs, outputs = form.pop("inputs"), form.pop("outputs")
    count = len({key.split(".")[0] for key in arrays if key != "coef"})
    leaks = network.leak_rate
    pools = tuple(
        Pool(
            _matrix(arrays, f"{number}.w_in"),
            csr_array(_matrix(arrays, f"{number}.w_rec")),
            leaks if isinstance(leaks, (int, float)) else leaks[number],
            network.activation,
        )
        for number in range(count)
    )
    bank = Bank(
        *(pools, network.arrangement, network.bias, network.squares), inputs, outputs
    )
    classes = values["classes"]
    return network.restored(
        bank,
        Form(**form),
        _Learnt(np.asarray(arrays["coef"])),
        None if classes is None else np.array(classes),
    )


def _matrix(arrays: Mapping[str, np.ndarray], key: str) -> np.ndarray | csr_array:
    if key in arrays:
        return arrays[key]
    triple = [arrays[f"{key}.{part}"] for part in ("data", "indices", "indptr")]
    return csr_array(tuple(triple), shape=tuple(arrays[f"{key}.shape"].tolist()))


def _plain(value: Any) -> Any:  # noqa: ANN401 (an argument)
    """A value without tuples and numbers of numpy."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
