"""Anomalies in streams: steps that a forecast of one step finds hard to believe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log10
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import OutlierMixin
from torch import Tensor
from torch.distributions import Distribution

from recurro.baselines import ThreeSigma
from recurro.cells import GRU
from recurro.data import Scaler, Sequences, join_series
from recurro.data.sequences import flat
from recurro.errors import DataError, RunError
from recurro.nn import EachStep, StepNetwork, StudentTHead
from recurro.tasks.alerts import Judged, Span, as_spans, judge_alerts
from recurro.tasks.comparison import Comparison
from recurro.tasks.detect_config import DetectData, DetectSettings
from recurro.tasks.estimator import NetworkEstimator
from recurro.tasks.likelihood import RunningLikelihood
from recurro.tasks.readers import SeriesReader, load_scaler
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.sequence_runs import Examples, read_examples
from recurro.tasks.streams import Stream, StreamData, as_stream
from recurro.tasks.vector_task import Answered, Network, VectorTask, answers, mean_loss
from recurro.tasks.watch import StreamWatch
from recurro.train import Progress, RunFolder

__all__ = ["AnomalyDetector"]

PROBATION, ERRORS = "probation.json", "errors.json"

_OVERLAP = 8
"""Windows that are learnt from begin every 1 / 8 of a window."""


@dataclass(frozen=True)
class Probation:
    """What is known of the part of a stream that was learnt from.

    Attributes:
        steps: How many.
        digest: Of them, so that they are known again.
        cycles: Those of the calendar that it ran through at least twice.
        names: What the channels are called.
        mean: Of each channel.
        deviation: Of each channel.
    """

    steps: int
    digest: str
    cycles: Sequence[str]
    names: Sequence[str]
    mean: Sequence[float]
    deviation: Sequence[float]


class AnomalyDetector(
    OutlierMixin, NetworkEstimator, without=("bidirectional",), defaults={"cell": GRU()}
):
    """A detector of anomalies in a stream, by a forecast of one step.

    A recurrent network learns p(x_t | x_1 ... x_{t-1}), a Student t distribution of
    each channel's change, on the first part of the stream (``probation``) alone. Then,
    step by step, with what is known by then:

        error_t = sum over channels of |x_t - m_t| / s
        score_t = log10 of the likelihood of the latest errors (``RunningLikelihood``)

    with m_t the mean of p and s the deviation of the changes in training; and there is
    an alert where ``score_t`` is below ``log10(threshold)``. The rule knows the usual
    size of errors from the last part of the probation (``held_out``), which the network
    does not learn from, and goes on learning it.

    A stream is a table (the name of a file), a ``recurro.data.Series``, or numbers
    ``(time, channels)`` or ``(time,)``; where stamps are dates the network reads a
    clock and a calendar too. The arguments are those of ``recurro.tasks.detect_config``
    and those that all tasks share.

    Attributes:
        network_: The trained ``StepNetwork``.
        reader_: The scaler.
        offset_: log10(threshold): ``decision_function`` is ``score_samples`` less this.
        probation_: What is known of the part learnt from.
        errors_: The errors on its last part, by ``network`` and by ``last value``.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: Errors of the forecast on that part: the last value, the network.

    Example:
        >>> time = np.arange(1000)
        >>> wave = np.sin(time / 5) + np.random.default_rng(0).normal(0, 0.05, 1000)
        >>> wave[800:820] = 0.0
        >>> detector = AnomalyDetector(probation=0.4, max_steps=60).fit(wave)
        >>> alerts = np.flatnonzero(detector.predict(wave) == -1)
        >>> bool(800 <= alerts[alerts >= 400].min() < 815)
        True

    References:
        Malhotra et al. (2015), Long short term memory networks for anomaly detection in
        time series, section 2 (errors of a network trained on usual data); Ahmad et al.
        (2017), doi:10.1016/j.neucom.2017.04.070, equations 3 to 7 (the likelihood).
    """

    task: ClassVar[str] = "detect"
    kind: ClassVar[type[TaskSettings]] = DetectSettings

    # Learning.

    def fit(
        self,
        X: StreamData,
        y: None = None,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from the first part of a stream; the rest is not looked at.

        Args:
            X: The stream.
            y: Nothing; for scikit-learn.
            progress: Shown how training goes.

        Raises:
            DataError: If the stream cannot be used: row and column are named.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        settings: DetectSettings = self.settings
        stream = as_stream(X, settings.data)
        self._learn_probation(stream, settings.data)
        material = self._cut(stream, settings.data)
        (items, _), _ = material.parts()
        reader = SeriesReader(Scaler.fit(join_series(items)))
        return self._fit(settings, reader, material, progress)

    def _learn_probation(self, stream: Stream, data: DetectData) -> None:
        steps = int(data.probation * len(stream))
        held, least = int(data.held_out * steps), 2 * data.short + 2
        if steps - held <= data.window or held < least:
            raise DataError(
                f"AnomalyDetector: the part that is learnt from must have more than "
                f"{data.window} steps (window) before {least} that are held out, got "
                f"{steps - held} and {held} of {len(stream)} in all. Give a longer "
                "stream, a larger probation or a smaller window."
            )
        part = stream.values[:steps].astype(np.float64)
        for name, channel in zip(stream.names, part.T, strict=True):
            if channel.min() == channel.max():
                raise DataError(
                    f"AnomalyDetector: {name!r} must change in the {steps} steps that "
                    f"are learnt from, it is {channel[0]:g} in all of them. Leave it "
                    "out, or learn from a longer part (probation)."
                )
        self.probation_ = Probation(
            steps,
            stream.digest(steps),
            stream.cycles(data.calendar, steps),
            stream.names,
            part.mean(0).tolist(),
            part.std(0).tolist(),
        )

    def _cut(self, stream: Stream, data: DetectData) -> Examples:
        """Windows to learn from, and what is held out behind them as the last one."""
        steps = self.probation_.steps
        at = steps - int(data.held_out * steps)
        inputs, changes = stream.inputs(self.probation_.cycles), stream.changes
        stride = max(1, data.window // _OVERLAP)
        first = range(0, at - data.window, stride)
        spans = [slice(n, n + data.window) for n in first]
        spans.append(slice(at - 1, steps - 1))  # row n of the inputs forecasts n + 1
        targets = Sequences.of([changes[span] for span in spans])
        return Examples([inputs[span] for span in spans], targets, 1)

    def _assemble(self, settings: DetectSettings, reader: SeriesReader) -> StepNetwork:
        encoder, width = reader.encoder(settings.model)
        recurrent = self._recurrent(width, settings)
        channels = len(self.probation_.names)
        head = EachStep(StudentTHead(recurrent.output_size, shape=(channels,)))
        return StepNetwork(encoder, recurrent, head, dropout=settings.model.dropout)

    def _start(self, network: Any, reader: SeriesReader, material: Examples) -> None:  # noqa: ANN401
        network.head.start(torch.as_tensor(flat(material.parts()[0][1])))

    def _task(
        self,
        network: Network,
        reader: SeriesReader,
        settings: DetectSettings,
        material: Examples,
    ) -> VectorTask:
        learnt, chosen = (
            Answered(reader(items), changes) for items, changes in material.parts()
        )
        return VectorTask(network, learnt, chosen, settings.train, _judge)

    def _compare(self, task: VectorTask, material: Examples) -> Comparison:
        network, held = task.network, task.valid
        assert held is not None
        assert isinstance(network, StepNetwork)
        short = self.settings.data.short
        self.errors_ = {
            name: errors(network, held)[short:].tolist()
            for name, errors in _ERRORS.items()
        }
        if self.run_ is not None:
            self.run_.write_json(ERRORS, self.errors_)
        return [
            {"name": "last value", "rmse": _rmse(held.flat / _scale(network))},
            {"name": "network", **_judge(network, held)},
        ]

    def _load_reader(self, run: RunFolder, settings: DetectSettings) -> SeriesReader:
        return SeriesReader(load_scaler(run))

    def _load_material(self, run: RunFolder) -> Examples:
        return read_examples(run)

    def _learnt(self) -> dict[str, str]:
        return {PROBATION: json.dumps(asdict(self.probation_), indent=1)}

    def _read_learnt(self, run: RunFolder) -> None:
        found: Any = run.read_json(PROBATION)
        try:
            self.probation_ = Probation(**found)
        except TypeError:
            raise RunError(
                f"{run.path / PROBATION}: must tell of the part learnt from, got "
                "something else. Put it back from a copy."
            ) from None
        if (run.path / ERRORS).exists():
            errors: Any = run.read_json(ERRORS)
            self.errors_ = errors

    # Judging.

    @property
    def offset_(self) -> float:
        """What ``decision_function`` takes off the scores."""
        return log10(self.settings.data.threshold)

    def score_samples(self, X: StreamData) -> np.ndarray:
        """The score of each step of a stream ``(time,)``: the lower, the odder.

        The network reads the stream from its beginning; the first step has score 0, as
        nothing is known before it.

        Raises:
            DataError: If the stream cannot be read.
        """
        return self._scores("network", self._known(X))

    def decision_function(self, X: StreamData) -> np.ndarray:
        """The score of each step less that of an alert ``(time,)``: below 0 is one.

        Raises:
            DataError: If the stream cannot be read.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: StreamData) -> np.ndarray:
        """-1 at each step with an alert, 1 elsewhere ``(time,)``.

        Raises:
            DataError: If the stream cannot be read.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def evaluate(
        self,
        X: StreamData,
        y: Sequence[Span] | np.ndarray | None = None,
    ) -> dict[str, float]:
        """How well alerts find known anomalies; see ``judge_alerts``.

        Steps that were learnt from are not scored, nor are anomalies that touch them.
        Alerts at most ``short`` steps apart are one.

        Args:
            X: The stream.
            y: The anomalies: the first and the last step of each, or whether there is
                one at each step ``(time,)``; ``None`` if the table says so (``label``).

        Raises:
            DataError: If the stream cannot be read, or nothing is said of anomalies.
        """
        return self.judge(X, y)["network"].figures()

    def judge(
        self,
        X: StreamData,
        y: Sequence[Span] | np.ndarray | None = None,
    ) -> dict[str, Judged]:
        """The same as counts, which add up over streams, beside the baselines'.

        These are the plain three-sigma rule, and the same rule as the network's on the
        change since the last value; the network comes last.

        Args:
            X: The stream.
            y: The anomalies, as for ``evaluate``.

        Raises:
            DataError: If the stream cannot be read, or nothing is said of anomalies.
        """
        stream = self._known(X)
        spans = as_spans(stream.labels if y is None else y, len(stream))
        plain = ThreeSigma()
        plain.mean_ = np.array(self.probation_.mean)
        plain.deviation_ = np.array(self.probation_.deviation)
        told = {
            "three sigma": plain.alerts(stream.values),
            **{n: self._scores(n, stream) < self.offset_ for n in _ERRORS},
        }
        start = self.probation_.steps if self.knows(stream) else 0
        return {
            name: self._judged(alerts, spans, start) for name, alerts in told.items()
        }

    def knows(self, stream: Stream) -> bool:
        """Whether a stream begins with what was learnt from."""
        return self.probation_.digest == stream.digest(self.probation_.steps)

    def watch(self) -> StreamWatch:
        """What scores a stream one step at a time, from its beginning on.

        Example:
            >>> detector = AnomalyDetector(probation=1.0, max_steps=2)
            >>> detector = detector.fit(np.random.default_rng(0).normal(size=200))
            >>> watch = detector.watch()
            >>> watch.update(0.1), watch.update(0.2)[1]
            ((0.0, False), False)
        """
        network = self._fitted()
        return StreamWatch(
            *(network, self.reader_, self.probation_.cycles, self._rule("network")),
            *(_scale(network), self.offset_),
        )

    def _judged(self, alerts: np.ndarray, spans: list[Span], start: int) -> Judged:
        """The judgement of alerts from a step on."""
        behind = max([start, *(last + 1 for first, last in spans if first < start)])
        alerts = np.where(np.arange(len(alerts)) < behind, False, alerts)
        left = [span for span in spans if span[0] >= behind]
        return judge_alerts(alerts, left, gap=self.settings.data.short)

    def _known(self, X: StreamData) -> Stream:
        """A stream such as was learnt from."""
        self._fitted()
        stream = as_stream(X, self.settings.data)
        names = self.probation_.names
        if len(stream.names) != len(names):
            raise DataError(
                f"AnomalyDetector: channels must be {', '.join(names)} as in training, "
                f"got {', '.join(stream.names)}. Give the same ones in the same order."
            )
        return stream

    def _inputs(self, stream: Stream) -> Sequences:
        if self.probation_.cycles and not stream.dated:
            raise DataError(
                "AnomalyDetector: stamps must be dates as in training, got whole "
                "numbers. Give the same kind of stream."
            )
        return self.reader_([stream.inputs(self.probation_.cycles)])

    def _scores(self, name: str, stream: Stream) -> np.ndarray:
        """The scores of a stream, after a first step that has none."""
        data = Answered(self._inputs(stream), Sequences.of([stream.changes]))
        rule, errors = self._rule(name), _ERRORS[name](self._fitted(), data)
        return np.array([0.0, *(rule.step(float(error)) for error in errors)])

    def _rule(self, name: str) -> RunningLikelihood:
        """The rule as it stands when training ends."""
        if not hasattr(self, "errors_"):
            raise RunError(
                "AnomalyDetector: training must have ended before anything is judged, "
                f"it was stopped. Go on with AnomalyDetector.resume({self.out!r})."
            )
        data = self.settings.data
        rule = RunningLikelihood(data.short, data.memory)
        rule.learn(self.errors_[name])
        return rule


def _judge(network: Network, data: Answered) -> dict[str, float]:
    """The loss of a network, and its root mean square error in usual changes."""
    left = (data.flat - answers(network, data.sequences, _mean)) / _scale(network)
    return {"nats": mean_loss(network, data), "rmse": _rmse(left)}


def _mean(found: Distribution) -> Tensor:
    return found.mean


def _rmse(errors: np.ndarray) -> float:
    return float(np.sqrt((errors.astype(np.float64) ** 2).mean()))


def _scale(network: Network) -> np.ndarray:
    """The deviation of each channel's changes in training ``(channels,)``."""
    assert isinstance(network, StepNetwork)
    head = network.head.head
    assert isinstance(head, StudentTHead)
    return head.scale.double().cpu().numpy()


def _errors(network: Network, data: Answered) -> np.ndarray:
    """The error of each forecast of a network ``(steps,)``."""
    left = data.flat - answers(network, data.sequences, _mean)
    return np.abs(left / _scale(network)).sum(1)


def _last_errors(network: Network, data: Answered) -> np.ndarray:
    """The error of each last value, taken for a forecast ``(steps,)``."""
    return np.abs(data.flat / _scale(network)).sum(1)


_ERRORS = {"last value": _last_errors, "network": _errors}
"""The forecasts that the rule is used on."""
