"""The settings of a reservoir, chosen on a part of the data that is held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from scipy.sparse import block_diag, csr_array

from recurro.errors import ArgumentError, DataError
from recurro.reservoir.bank import Bank
from recurro.reservoir.network import EchoStateNetwork, Progress
from recurro.reservoir.pool import Pool
from recurro.reservoir.readout import Ridge
from recurro.reservoir.running import features, pooled
from recurro.reservoir.series import Series, pad

__all__ = ["Search", "Trial", "search"]

_GRID: Mapping[str, Sequence[float]] = {
    "spectral_radius": (0.5, 0.8, 0.95, 1.1),
    "leak_rate": (0.1, 0.3, 1.0),
    "input_scaling": (0.1, 0.5, 1.0),
    "ridge": (1e-8, 1e-6, 1e-4, 1e-2, 1.0, 100.0),
}

_Rows = Iterator[tuple[np.ndarray, np.ndarray, bool]]
"""Features, targets, and whether they are held out."""


@dataclass(frozen=True)
class Trial:
    """One set of settings and how it did.

    Attributes:
        spectral_radius, leak_rate, input_scaling, ridge: As in ``EchoStateNetwork``.
        error: On the part held out: the nrmse, or the share of labels that are wrong.
    """

    spectral_radius: float
    leak_rate: float
    input_scaling: float
    ridge: float
    error: float

    @property
    def settings(self) -> dict[str, float]:
        """The arguments for ``EchoStateNetwork``."""
        return {name: getattr(self, name) for name in _GRID}


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        table: All trials, the best first.
        network: A network with the best settings, fitted to all series.
    """

    table: tuple[Trial, ...]
    network: EchoStateNetwork

    @property
    def best(self) -> Trial:
        """The trial with the least error."""
        return self.table[0]


def search(
    network: EchoStateNetwork,
    X: Series | None,
    Y: Any,  # noqa: ANN401 (numbers or labels)
    grid: Mapping[str, Sequence[float]] | None = None,
    *,
    held_out: float = 0.25,
    batch: int = 8,
    progress: Progress | None = None,
) -> Search:
    """Try each combination of settings, and fit the best to all series.

    Reservoirs of one leak rate run side by side as one, with a matrix of diagonal
    blocks. Each is run over the series once for all values of the ridge, which come
    from one factorisation. Of one series the last part is held out, of many each
    fourth one (with 0.25). Outputs that are fed back are the true ones.

    Args:
        network: All other settings; it is left as it is.
        X: As in ``EchoStateNetwork.fit``.
        Y: As in ``EchoStateNetwork.fit``.
        grid: Values of ``spectral_radius``, ``leak_rate``, ``input_scaling`` and
            ``ridge`` (above 0); a value that is not given is that of the network, and
            without a grid some usual ones are tried.
        held_out: The share of the data that settings are judged on, in (0, 1).
        batch: Reservoirs that run as one, >= 1; a network of several runs alone.
        progress: Called with the reservoirs that were tried, and those of all.

    Raises:
        ArgumentError: If the grid, or a setting, is none that may be given; or the
            network has a readout of its own.
        DataError: If the series do not fit, or are too few or too short to hold a part
            of them out.

    Example:
        >>> wave = np.sin(0.3 * np.arange(300))
        >>> network = EchoStateNetwork(20, washout=20, random_state=0)
        >>> grid = {"leak_rate": [0.1, 1.0], "ridge": [1e-6, 100.0]}
        >>> found = search(network, wave[:-1], wave[1:], grid)
        >>> len(found.table), found.best.ridge, found.best.error < 0.01
        (4, 1e-06, True)
    """
    values = _grid(network, grid)
    if not 0 < held_out < 1 or batch < 1:
        raise ArgumentError(
            f"search: held_out must be in (0, 1) and batch >= 1, got {held_out} and "
            f"{batch}."
        )
    batch = batch if isinstance(network.units, int | np.integer) else 1
    ridges = values.pop("ridge")
    combinations = list(product(*values.values()))
    trials: list[Trial] = []
    for leak in dict.fromkeys(values["leak_rate"]):
        alike = [c for c in combinations if c[1] == leak]
        for start in range(0, len(alike), batch):
            some = [
                dict(zip(values, c, strict=True)) for c in alike[start : start + batch]
            ]
            errors = _errors([_with(network, c) for c in some], X, Y, ridges, held_out)
            for settings, row in zip(some, errors, strict=True):
                pairs = zip(ridges, row, strict=True)
                trials += [Trial(**settings, ridge=r, error=float(e)) for r, e in pairs]
            if progress is not None:
                progress(len(trials) // len(ridges), len(combinations))
    table = tuple(sorted(trials, key=lambda trial: trial.error))
    return Search(table, _with(network, table[0].settings).fit(X, Y))


def _with(network: EchoStateNetwork, settings: dict[str, float]) -> EchoStateNetwork:
    """A network that is not fitted, with some settings changed."""
    return EchoStateNetwork(**{**network.get_params(deep=False), **settings})


def _grid(
    network: EchoStateNetwork, grid: Mapping[str, Sequence[float]] | None
) -> dict[str, list[float]]:
    """The values of each setting, checked."""
    given = _GRID if grid is None else grid
    if strange := [name for name in given if name not in _GRID]:
        raise ArgumentError(
            f"search: the grid may name {', '.join(_GRID)}, got {strange[0]!r}."
        )
    if network.readout is not None:
        raise ArgumentError(
            "search: the network must have no readout of its own, since each ridge is "
            f"tried, got {network.readout!r}. Set readout=None."
        )
    values = {}
    for name in _GRID:
        some = given.get(name, [getattr(network, name)])
        numbers = [v for v in some if isinstance(v, int | float | np.number)]
        if not numbers or len(numbers) < len(some):
            raise ArgumentError(
                f"search: {name} must be numbers to try, got {some!r}. Name them in "
                "the grid."
            )
        values[name] = [float(v) for v in numbers]
    return values


def _errors(
    networks: Sequence[EchoStateNetwork],
    X: Series | None,
    Y: Any,  # noqa: ANN401
    ridges: Sequence[float],
    held_out: float,
) -> np.ndarray:
    """The error of each network with each ridge ``(networks, ridges)``."""
    first = networks[0]
    xs, targets = first._pairs(X, Y, None)
    width = targets.width if first.feedback else 0
    banks = [network.draw(xs[0].shape[1], width) for network in networks]
    bank, columns = _side_by_side(banks)
    readouts = [Ridge().begin(banks[0].features, targets.width) for _ in banks]
    coefs: list[np.ndarray] = []
    wrong, spread, count = np.zeros((len(banks), len(ridges))), [], 0
    for z, y, held in _parts(first, bank, xs, targets.numbers, held_out):
        if not held:
            for readout, some in zip(readouts, columns, strict=True):
                readout.add(z[:, some], y)
            continue
        coefs = coefs or [readout.coefs(ridges) for readout in readouts]
        for number, some in enumerate(columns):
            told = z[:, some] @ coefs[number].swapaxes(1, 2)  # (ridges, steps, outputs)
            if first.classify is None:
                wrong[number] += ((told - y) ** 2).sum((1, 2))
            else:
                wrong[number] += (told.argmax(2) != y.argmax(1)).sum(1)
        count += len(y)
        spread.append(y)
    if first.classify is not None:
        return wrong / count
    truth = np.concatenate(spread)
    power = float(((truth - truth.mean(0)) ** 2).sum())
    if not power:
        raise DataError(
            f"search: the targets that are held out must vary, got {truth[0]} at all "
            f"{len(truth)} steps. Hold out more (held_out={held_out})."
        )
    return np.sqrt(wrong / power)


def _parts(
    network: EchoStateNetwork,
    bank: Bank,
    xs: list[np.ndarray],
    numbers: list[np.ndarray],
    held_out: float,
) -> _Rows:
    """Rows to learn from, then rows to be judged on."""
    if len(xs) > 1:
        every = max(2, round(1 / held_out))
        for held in (False, True):
            kept = [n for n in range(len(xs)) if ((n + 1) % every == 0) == held]
            if not kept:
                raise DataError(
                    f"search: there must be at least {every} series to hold one out, "
                    f"got {len(xs)}. Pass more, or a larger held_out."
                )
            some = [xs[n] for n in kept], [numbers[n] for n in kept]
            yield from ((z, y, held) for _, z, y in _rows(network, bank, *some))
        return
    cut = round(len(xs[0]) * (1 - held_out))
    if not network.washout < cut < len(xs[0]) or network.classify in ("last", "mean"):
        raise DataError(
            "search: there must be more than one series, or one with steps after the "
            f"washout of {network.washout} to learn from and others to hold out, got "
            f"one of {len(xs[0])} steps."
        )
    for steps, z, y in _rows(network, bank, xs, numbers):
        for held in (False, True):
            if len(z[some := (steps >= cut) == held]):
                yield z[some], y[some], held


def _rows(
    network: EchoStateNetwork,
    bank: Bank,
    xs: list[np.ndarray],
    numbers: list[np.ndarray],
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Steps, features and targets, as the readout of a network sees them."""
    if network.classify in ("last", "mean"):
        for rows, z, _ in pooled(bank, xs, network.classify, network.washout):
            yield np.zeros(len(z)), z, np.concatenate([numbers[row] for row in rows])
        return
    noise = None
    if network.noise:
        noise = network.noise, np.random.default_rng(network.random_state)
    for chunk, z, _ in features(bank, xs, numbers if network.feedback else None, noise):
        counted = chunk.counted(network.washout)
        steps = np.broadcast_to(
            np.arange(chunk.start, chunk.stop)[:, None], counted.shape
        )
        yield steps[counted], z[counted], pad(numbers, chunk)[counted]


def _side_by_side(banks: Sequence[Bank]) -> tuple[Bank, list[np.ndarray]]:
    """Networks of one leak rate as one, and which of its features are those of each."""
    first = banks[0]
    if len(banks) == 1:
        return first, [np.arange(first.features)]
    pools = [bank.pools[0] for bank in banks]
    joined = Pool(
        np.concatenate([np.asarray(pool.w_in) for pool in pools]),
        csr_array(block_diag([pool.w_rec for pool in pools], format="csr")),
        pools[0].leak_rate,
        pools[0].activation,
    )
    whole = replace(first, pools=(joined,))
    units, shared = first.units, first.features - first.units * (1 + first.squares)
    columns = []
    for number in range(len(banks)):
        h = shared + units * number + np.arange(units)
        squares = [h + units * len(banks)] if first.squares else []
        columns.append(np.concatenate([np.arange(shared), h, *squares]))
    return whole, columns
