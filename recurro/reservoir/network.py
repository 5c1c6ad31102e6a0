"""Echo state networks: reservoirs with a readout that alone is learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Literal, Protocol, Self, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from recurro.cells.reservoir import Activation
from recurro.errors import ArgumentError, DataError
from recurro.reservoir.bank import Arrangement, Bank, draw_bank
from recurro.reservoir.online import OnlineReadout, force
from recurro.reservoir.pool import DType
from recurro.reservoir.readout import Ridge
from recurro.reservoir.running import continued, echoed, features, pooled, told
from recurro.reservoir.series import Series, as_series, is_one, pad
from recurro.reservoir.targets import (
    Form,
    Targets,
    class_targets,
    nrmse,
    number_targets,
)

__all__ = ["EchoStateNetwork", "Readout"]

Ridges: TypeAlias = float | Sequence[float] | Literal["gcv", "loo"]
Classify: TypeAlias = Literal["step", "last", "mean"] | None
Progress: TypeAlias = Callable[[int, int], object]
"""Called with the steps that were read, and those of all series."""


class Readout(Protocol):
    """What learns W_out from features and targets that come in chunks.

    After ``solve`` there is W_out ``(outputs, features)`` as ``coef_``.
    """

    def begin(self, features: int, outputs: int) -> object:
        """Forget all, and make ready for rows of these widths."""
        ...

    def add(self, Z: np.ndarray, Y: np.ndarray) -> object:
        """Learn from ``(steps, features)`` and targets ``(steps, outputs)``."""
        ...

    def solve(self) -> object:
        """Find ``coef_``."""
        ...


class EchoStateNetwork(BaseEstimator):
    """A recurrent network whose weights are drawn and of which the readout is learnt.

    h'_t = tanh(W_in [b; x_t; y_{t-1}] + W_rec h_{t-1} + noise)
    h_t = (1 - a) h_{t-1} + a h'_t
    y_t = W_out [b; x_t; h_t]

    One series is an array ``(time, channels)``, many (of any lengths) are a list. With
    numbers for ``units``, ``spectral_radius``, ``leak_rate``, ``input_scaling`` there
    is one reservoir; with sequences as many as they are long.

    Args:
        units: Units of the reservoir, or of each.
        spectral_radius: Of W_rec, >= 0; from 1 up the network may not forget.
        leak_rate: a, in (0, 1]; near 0 for slow series.
        input_scaling: Weights of W_in are uniform in its ±.
        activation: ``tanh``, or ``identity`` for a linear reservoir.
        bias: b, a constant input beside x_t; 0 for none.
        connectivity: Entries in each row of W_rec: their number (int), or their share
            of the units (float).
        feedback: Weights through which y_{t-1} comes back are uniform in its ±; 0 for
            no feedback.
        teacher_forcing: Whether in ``fit`` the targets take the place of the y that is
            fed back. If not, y is what the network tells while it learns at every step
            after the washout (FORCE); the readout must be one that learns so.
        noise: What is added before tanh in ``fit`` is uniform in its ±.
        washout: First steps of each series that are not learnt from.
        ridge: See ``Ridge``, the readout if there is no other.
        readout: What learns W_out, such as ``RecursiveLeastSquares()``.
        squares: Whether y_t also reads the square of each unit of h_t.
        arrangement: ``deep``: each reservoir reads the state of the one before it, and
            b; ``parallel``: each reads the inputs. y_t reads all of them.
        classify: For classes and not numbers as targets: whether they are told by
            the state at each ``step``, by the ``last``, or by their ``mean``.
        dtype: Type of the states, ``float32`` for large reservoirs.
        random_state: Seed of all that is drawn.

    Attributes:
        bank_: The reservoirs.
        form_: How targets were given.
        radius_: The spectral radius of each as it was reached.
        coef_: W_out ``(outputs, features)``.
        classes_: With ``classify``: the classes, sorted.

    Example:
        >>> wave = np.sin(0.3 * np.arange(400))
        >>> model = EchoStateNetwork(50, washout=50, random_state=0)
        >>> model = model.fit(wave[:-1], wave[1:])
        >>> model.evaluate(wave[:-1], wave[1:])["nrmse"] < 1e-3
        True
        >>> model.generate(3, wave[:300]).round(3)
        array([0.894, 0.722, 0.485])

    References:
        Jaeger (2001), GMD report 148; Lukoševičius (2012),
        doi:10.1007/978-3-642-35289-8_36, equations 2 to 4.
    """

    def __init__(
        self,
        units: int | Sequence[int] = 500,
        *,
        spectral_radius: float | Sequence[float] = 0.9,
        leak_rate: float | Sequence[float] = 1.0,
        input_scaling: float | Sequence[float] = 1.0,
        activation: Activation = "tanh",
        bias: float = 1.0,
        connectivity: float = 10,
        feedback: float = 0.0,
        teacher_forcing: bool = True,
        noise: float = 0.0,
        washout: int = 0,
        ridge: Ridges = 1e-6,
        readout: Readout | None = None,
        squares: bool = False,
        arrangement: Arrangement = "deep",
        classify: Classify = None,
        dtype: DType = "float64",
        random_state: int | None = None,
    ) -> None:
        self.units = units
        self.spectral_radius = spectral_radius
        self.leak_rate = leak_rate
        self.input_scaling = input_scaling
        self.activation: Activation = activation
        self.bias = bias
        self.connectivity = connectivity
        self.feedback = feedback
        self.teacher_forcing = teacher_forcing
        self.noise = noise
        self.washout = washout
        self.ridge: Ridges = ridge
        self.readout = readout
        self.squares = squares
        self.arrangement: Arrangement = arrangement
        self.classify: Classify = classify
        self.dtype: DType = dtype
        self.random_state = random_state

    def fit(
        self,
        X: Series | None,
        Y: Any,  # noqa: ANN401 (numbers or labels)
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Draw the reservoirs and learn the readout, in one pass over the series.

        Args:
            X: One series or many; ``None`` for a network with feedback alone.
            Y: For each series its targets ``(time, outputs)`` or ``(time,)``; with
                ``classify`` a label, or labels ``(time,)``.
            progress: Called with the steps read and those of all series.

        Raises:
            DataError: If series are not finite or do not fit together, or one is no
                longer than the washout.
            ArgumentError: If an argument is out of its range, or the readout has no
                solution.
        """
        vars(self).pop("bank_", None)
        self.partial_fit(X, Y, progress=progress)
        self._solve()
        return self

    def partial_fit(
        self,
        X: Series | None,
        Y: Any,  # noqa: ANN401 (numbers or labels)
        *,
        classes: Sequence[Any] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from more series; the readout is solved when it is next needed.

        Args:
            X: As in ``fit``; each series begins with a state of zeros.
            Y: As in ``fit``.
            classes: With ``classify``: all labels that there will be; those of the
                first call if not given.
            progress: As in ``fit``.

        Raises:
            DataError: As ``fit``; or if a label is none of the classes.
            ArgumentError: As ``fit``.
        """
        self._check()
        xs, targets = self._pairs(X, Y, classes)
        if not hasattr(self, "bank_"):
            self._begin(xs[0].shape[1], targets)
        self._solved = False
        self._learn(xs, targets, progress)
        return self

    def predict(self, X: Series | None, teacher: Series | None = None) -> Any:  # noqa: ANN401
        """What the network tells of each step, or with ``classify`` the labels.

        Args:
            X: One series or many; ``None`` for a network with feedback alone.
            teacher: For a network with feedback: the true outputs, each of which is
                fed back one step later; its own outputs if not given.

        Returns:
            For each series its outputs, in the form of the targets of ``fit``.

        Raises:
            NotFittedError: Before ``fit``.
            DataError: If series do not fit.
        """
        one = is_one(teacher if X is None else X)
        if self.classify is not None:
            labels = [self.classes_[s.argmax(-1)] for s in self._scores(X)]
            return labels[0] if one else labels
        bank = self._fitted()
        truth = None
        if teacher is not None:
            truth = as_series("teacher", teacher, self.dtype, self.form_.width)
        xs = self._inputs(X, truth)
        if not bank.outputs:
            found = told(bank, self.coef_, xs)
        elif truth is not None:
            found = told(bank, self.coef_, xs, truth)
        else:
            found = [echoed(bank, self.coef_, [x], None, len(x))[0] for x in xs]
        return self._outward(found, one=one)

    def decision_function(self, X: Series) -> Any:  # noqa: ANN401 (one or many)
        """With ``classify``: the score of each class, for each series (or step).

        Returns:
            ``(classes,)`` of a series, or ``(time, classes)`` where steps have labels.

        Raises:
            NotFittedError: Before ``fit``.
        """
        scores = self._scores(X)
        return scores[0] if is_one(X) else scores

    def generate(self, steps: int, prompt: Series, X: Series | None = None) -> Any:  # noqa: ANN401
        """Go on from the past of series, each output fed back (a closed loop).

        Without feedback weights the output is the next input, so the network must have
        been fitted to tell the next step: ``fit(series[:-1], series[1:])``.

        Args:
            steps: Steps to generate, >= 1.
            prompt: One past or many ``(time, outputs)``.
            X: For a network with feedback and inputs: the inputs of past and future,
                ``(time + steps, inputs)`` each.

        Returns:
            For each past what comes after it ``(steps, outputs)``.

        Raises:
            NotFittedError: Before ``fit``.
            ArgumentError: If the outputs of the network cannot be its inputs.
            DataError: If series do not fit.

        Example:
            >>> model = EchoStateNetwork(20, feedback=0.5, random_state=0)
            >>> wave = np.sin(np.arange(100.0))
            >>> model.fit(None, wave).generate(2, wave[:99]).shape
            (2,)
        """
        bank = self._fitted()
        if steps < 1:
            raise ArgumentError(f"generate: steps must be >= 1, got {steps}.")
        width = self.form_.width
        if not bank.outputs and (bank.inputs != width or self.classify is not None):
            raise ArgumentError(
                f"generate: outputs must be inputs in turn, got {width} outputs for "
                f"{bank.inputs} inputs. Fit to the next step of the series themselves, "
                "or use feedback."
            )
        past = as_series("prompt", prompt, self.dtype, width)
        if bank.outputs:
            xs = self._inputs(X, past, steps)
            found = echoed(bank, self.coef_, xs, past, steps)
        else:
            found = continued(bank, self.coef_, past, steps)
        return self._outward(found, one=is_one(prompt))

    def evaluate(self, X: Series | None, Y: Any) -> dict[str, float]:  # noqa: ANN401
        """The error of the outputs, or the share of labels that are right.

        A network with feedback is given the true past outputs. Steps of the washout
        are not scored.

        Returns:
            ``nrmse``, the root of the squared errors over the squared deviations from
            the mean; with ``classify`` ``accuracy``.

        Raises:
            NotFittedError: Before ``fit``.
            DataError: If series do not fit.
        """
        self._fitted()
        xs, targets = self._pairs(X, Y, None)
        if self.classify is None:
            truth = targets.numbers
            found = told(
                *(self.bank_, self.coef_, xs), truth if self.feedback else None
            )
            pairs = [
                np.concatenate([s[self.washout :] for s in p]) for p in (truth, found)
            ]
            return {"nrmse": nrmse(*pairs)}
        pairs = zip(self.predict(xs), targets.labels, strict=True)
        right = np.concatenate([np.atleast_1d(a == b) for a, b in pairs])
        return {"accuracy": float(right.mean())}

    def score(self, X: Series | None, Y: Any) -> float:  # noqa: ANN401
        """R^2 = 1 - nrmse^2; with ``classify`` the accuracy."""
        figures = self.evaluate(X, Y)
        return figures.get("accuracy", 1 - figures.get("nrmse", 0.0) ** 2)

    def draw(self, inputs: int, outputs: int = 0) -> Bank:
        """Reservoirs as ``fit`` draws them, for inputs and feedback of these widths.

        Args:
            inputs: Width of x_t.
            outputs: Width of what is fed back; 0 without feedback.

        Raises:
            ArgumentError: If an argument is out of its range, or both widths are 0.
        """
        self._check()
        if not inputs and not outputs:
            raise ArgumentError(
                "EchoStateNetwork: there must be inputs or feedback, got neither. Pass "
                "X, or set feedback."
            )
        return draw_bank(
            inputs,
            outputs,
            units=self.units,
            spectral_radius=self.spectral_radius,
            leak_rate=self.leak_rate,
            input_scaling=self.input_scaling,
            activation=self.activation,
            bias=self.bias,
            connectivity=self.connectivity,
            feedback=self.feedback,
            squares=self.squares,
            arrangement=self.arrangement,
            dtype=self.dtype,
            random_state=self.random_state,
        )

    @property
    def radius_(self) -> tuple[float, ...]:
        """The spectral radius of each reservoir, as it was reached."""
        return tuple(pool.radius for pool in self._fitted().pools)

    @property
    def coef_(self) -> np.ndarray:
        """W_out ``(outputs, features)``."""
        self._fitted()
        self._solve()
        return self.readout_.coef_

    def restored(
        self,
        bank: Bank,
        form: Form,
        readout: Any,  # noqa: ANN401
        classes: np.ndarray | None,
    ) -> Self:
        """This network with reservoirs and a readout that were made elsewhere."""
        self.bank_, self.form_, self.readout_ = bank, form, readout
        if classes is not None:
            self.classes_ = classes
        self._solved = True
        return self

    # How it learns.

    def _begin(self, inputs: int, targets: Targets) -> None:
        """Draw the reservoirs and make the readout ready."""
        bank = self.draw(inputs, targets.width if self.feedback else 0)
        given = self.readout
        self.readout_: Any = Ridge(self.ridge) if given is None else deepcopy(given)
        self.readout_.begin(bank.features, targets.width)
        self._rng = np.random.default_rng(self.random_state)
        self.form_, self.bank_ = targets.form, bank

    def _learn(
        self, xs: list[np.ndarray], targets: Targets, progress: Progress | None
    ) -> None:
        """Show the readout every step, or one z for each series."""
        total, done = sum(map(len, xs)), 0
        numbers, add = targets.numbers, self.readout_.add
        if self.classify in ("last", "mean"):
            for rows, z, _ in pooled(self.bank_, xs, self.classify, self.washout):
                add(z, np.concatenate([numbers[row] for row in rows]))
                done += sum(len(xs[row]) for row in rows)
                if progress is not None:
                    progress(done, total)
            return
        teacher = numbers if self.feedback else None
        noise = (self.noise, self._rng) if self.noise else None
        if not self.teacher_forcing:
            assert isinstance(self.readout_, OnlineReadout)
            for x, y in zip(xs, numbers, strict=True):
                force(self.bank_, self.readout_, x, y, self.washout, noise)
                done += len(x)
                if progress is not None:
                    progress(done, total)
            return
        for chunk, z, _ in features(self.bank_, xs, teacher, noise):
            counted = chunk.counted(self.washout)
            add(*(each[counted] for each in (z, pad(numbers, chunk))))
            done += int(chunk.left.sum())
            if progress is not None:
                progress(done, total)

    def _solve(self) -> None:
        if not self._solved:
            self.readout_.solve()
            self._solved = True

    def _scores(self, X: Series | None) -> list[np.ndarray]:
        """The scores of the classes of each series, or of each of its steps."""
        if self.classify is None:
            raise ArgumentError(
                "EchoStateNetwork: classify must be set to score classes, got None. "
                "Use predict."
            )
        bank = self._fitted()
        xs = self._inputs(X, None)
        if self.classify == "step":
            scores = told(bank, self.coef_, xs)
            if self.form_.per_step:
                return scores
            cut = self.washout
            return [s[min(cut, len(s) - 1) :].mean(0) for s in scores]
        scores = [np.empty(0)] * len(xs)
        for rows, z, _ in pooled(bank, xs, self.classify, self.washout):
            for row, score in zip(rows, z @ self.coef_.T, strict=True):
                scores[row] = score
        return scores

    # What comes in and goes out.

    def _check(self) -> None:
        """Refuse arguments that are out of their range, where no one else does."""
        least = {
            "feedback": self.feedback,
            "noise": self.noise,
            "washout": self.washout,
        }
        for name, value in least.items():
            if not 0 <= value < np.inf:
                raise ArgumentError(
                    f"EchoStateNetwork: {name} must be a number >= 0, got {value}."
                )
        words = {
            "classify": (None, "step", "last", "mean"),
            "dtype": ("float32", "float64"),
        }
        for name, known in words.items():
            if (value := getattr(self, name)) not in known:
                raise ArgumentError(
                    f"EchoStateNetwork: {name} must be one of "
                    f"{', '.join(map(repr, known))}, got {value!r}."
                )
        online = isinstance(self.readout, OnlineReadout)
        if not self.teacher_forcing and not (self.feedback and online):
            raise ArgumentError(
                "EchoStateNetwork: without teacher_forcing there must be feedback and "
                f"a readout that learns step by step, got feedback={self.feedback} and "
                f"readout={self.readout!r}. Use readout=RecursiveLeastSquares()."
            )
        if self.feedback and self.classify is not None:
            raise ArgumentError(
                f"EchoStateNetwork: feedback must be 0 with classify, got "
                f"{self.feedback}."
            )

    def _pairs(
        self,
        X: Series | None,
        Y: Any,  # noqa: ANN401
        classes: Sequence[Any] | None,
    ) -> tuple[list[np.ndarray], Targets]:
        """Inputs and targets that fit together, and the network if there is one."""
        bank = getattr(self, "bank_", None)
        if self.classify is None:
            width = None if bank is None else self.form_.width
            targets = number_targets(Y, self.dtype, width)
            xs = self._inputs(X, targets.numbers)
        else:
            xs = self._inputs(X, None)
            known = classes if bank is None else self.classes_
            labels = [Y] if is_one(X) else Y
            targets, self.classes_ = class_targets(
                *(labels, list(map(len, xs)), known, self.classify, self.dtype)
            )
        for number, x in enumerate(xs):
            if len(x) <= self.washout:
                raise DataError(
                    f"EchoStateNetwork: washout must be shorter than each series, got "
                    f"{self.washout} for X[{number}] of {len(x)} steps. Take a smaller "
                    "one, or leave the series out."
                )
        return xs, targets

    def _inputs(
        self, X: Series | None, outputs: list[np.ndarray] | None, more: int = 0
    ) -> list[np.ndarray]:
        """Inputs, as many as there are outputs and ``more`` steps longer."""
        if X is None:
            if outputs is None:
                raise DataError("EchoStateNetwork: X must be series, got None.")
            X = [np.zeros((len(y) + more, 0)) for y in outputs]
        bank = getattr(self, "bank_", None)
        xs = as_series("X", X, self.dtype, None if bank is None else bank.inputs)
        if outputs is None:
            return xs
        if len(xs) != len(outputs):
            raise DataError(
                f"EchoStateNetwork: there must be as many series of inputs as of "
                f"outputs, got {len(xs)} and {len(outputs)}."
            )
        for number, (x, y) in enumerate(zip(xs, outputs, strict=True)):
            if len(x) != len(y) + more:
                raise DataError(
                    f"EchoStateNetwork: X[{number}] must have {len(y) + more} steps "
                    f"for outputs of {len(y)}, got {len(x)}."
                )
        return xs

    def _outward(self, series: list[np.ndarray], *, one: bool) -> Any:  # noqa: ANN401
        """Series in the form of the targets of ``fit``."""
        found = [s[:, 0] for s in series] if self.form_.flat else series
        return found[0] if one else found

    def _fitted(self) -> Bank:
        if not hasattr(self, "bank_"):
            raise NotFittedError(
                "EchoStateNetwork: must be fitted first. Call fit or load."
            )
        return self.bank_
