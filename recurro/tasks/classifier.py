"""Sequences by class: which of several each sequence is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from torch import Tensor
from torch.distributions import Distribution

from recurro.baselines.sequences import classifier_baselines, fit_baselines
from recurro.data import Sequences
from recurro.data.sequences import flat
from recurro.data.word_features import FEATURES
from recurro.errors import DataError, SettingError
from recurro.nn import CategoricalHead, Evidence, OrdinalHead, VectorNetwork
from recurro.tasks.comparison import Comparison
from recurro.tasks.labels import (
    CLASSES,
    as_labels,
    check_known,
    class_weights,
    classes_text,
    read_classes,
)
from recurro.tasks.metrics import class_f1, classification_figures
from recurro.tasks.readers import Items, Reader
from recurro.tasks.sequence import Data, SequenceEstimator
from recurro.tasks.sequence_config import (
    OF_TABLES,
    SequenceData,
    SequenceNetwork,
    TaskSettings,
)
from recurro.tasks.sequence_runs import Examples
from recurro.tasks.vector_task import Answered, answers
from recurro.train import RunFolder

__all__ = ["SequenceClassifier"]


class SequenceClassifier(
    ClassifierMixin, SequenceEstimator, without=(*OF_TABLES, "text")
):
    """A recurrent classifier of texts or of series of numbers.

    P(class | x) = softmax(W pool_t(h_t) + b), with h_t of a recurrence that reads x, in
    both directions if asked; after training one temperature is fitted on the part held
    out, so that the probabilities mean what they say.

    The arguments are those of ``recurro.tasks.sequence_config``: ``SequenceData``,
    ``SequenceNetwork`` and ``SequenceTraining`` say what each means. ``cell`` is an
    object, also one of your own; ``out`` names a run folder, without which all stays in
    memory; ``overwrite`` lets it replace a run that is there.

    Sequences are a list, of texts or of arrays ``(time, channels)`` of any lengths;
    numbers may be missing (NaN). Vocabulary and scaling are learnt from the training
    part alone.

    Attributes:
        classes_: The classes, sorted.
        network_: The trained ``VectorNetwork``.
        reader_: Vocabulary or scaler.
        history_: What happened in training.
        calibration_: The temperature, and the expected calibration error of the part
            held out before and after it was fitted there.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.
        test_: The same on the part that was tested on, for baselines that have learnt
            from all the rest. Empty if there was none.

    Example:
        >>> rising = [np.arange(n) + 0.1 * n for n in range(4, 24)]
        >>> falling = [-x for x in rising]
        >>> model = SequenceClassifier(hidden_size=8, epochs=20, learning_rate=0.02)
        >>> model = model.fit(rising + falling, ["up"] * 20 + ["down"] * 20)
        >>> model.predict([[0.0, 1.0, 2.0, 3.0, 4.0], [0.0, -1.0, -2.0, -3.0]]).tolist()
        ['up', 'down']

    References:
        Graves and Schmidhuber (2005), Framewise phoneme classification with
        bidirectional LSTM, section 2; Guo et al. (2017), arXiv 1706.04599, section 4.2
        (temperature).
    """

    task: ClassVar[str] = "classify"
    _of_classes: ClassVar[bool] = True
    _learns_anew: ClassVar[bool] = True

    def _learn_targets(self, y: Any) -> np.ndarray:  # noqa: ANN401
        classes, ids = np.unique(_labels(y), return_inverse=True)
        if self.settings.model.head == "ordinal" and classes.dtype.kind in "US":
            raise SettingError(
                "SequenceNetwork",
                "head",
                "must be softmax for classes that are words, whose order is not known, "
                f"got 'ordinal' for {', '.join(classes[:5].tolist())}. Write the "
                "classes as numbers.",
            )
        if len(classes) < 2:
            raise DataError(
                f"SequenceClassifier: there must be at least two classes, got only "
                f"{classes.tolist()}. Give items of another."
            )
        self.classes_ = classes
        self._counts = np.bincount(ids)
        self._class_weights()
        return ids.astype(np.int64)

    def _targets(self, y: Any) -> np.ndarray:  # noqa: ANN401
        return check_known(_labels(y), self.classes_, "SequenceClassifier", _ITEM)

    def _class_weights(self) -> list[float] | None:
        """What the loss of each class is multiplied by."""
        given = self.settings.model.class_weight
        return class_weights(given, self.classes_, self._counts, "SequenceNetwork")

    def _head(
        self, features: int, settings: SequenceNetwork
    ) -> CategoricalHead | OrdinalHead:
        kinds = {"softmax": CategoricalHead, "ordinal": OrdinalHead}
        kind = kinds[settings.head]
        return kind(features, len(self.classes_), self._class_weights())

    def _evidence(self, settings: TaskSettings) -> Evidence | None:
        data = settings.data
        if isinstance(data, SequenceData) and data.evidence:
            return Evidence(FEATURES, len(self.classes_))
        return None

    def _start(
        self, network: VectorNetwork, reader: Reader, material: Examples
    ) -> None:
        super()._start(network, reader, material)
        if network.evidence is not None:
            (items, targets), _ = material.parts()
            classes = flat(targets)
            # Equal texts of a class count once, so that none speaks for its twin.
            pairs = zip(map(str, items), classes.tolist(), strict=True)
            rows = list({pair: row for row, pair in enumerate(pairs)}.values())
            features = reader(items)
            network.evidence.count(
                [torch.from_numpy(features[row][:, 1:]) for row in rows],
                torch.as_tensor(classes[rows]),
            )

    def _judge(self, network: VectorNetwork, data: Answered) -> dict[str, float]:
        log_probs = answers(network, data.sequences, _logits)
        return self._figures(log_probs, data.flat)

    def _figures(self, log_probs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """The figures of a model; of two classes also F1 of each."""
        figures = classification_figures(log_probs, targets)
        if len(self.classes_) == 2:
            f1 = class_f1(log_probs.argmax(1), targets, 2)
            figures |= {f"f1_{name}": float(f1[i]) for i, name in self._names()}
        return figures

    def _names(self) -> Iterable[tuple[int, Any]]:
        return enumerate(self.classes_.tolist())

    def evaluate(self, X: Data, y: Any) -> dict[str, float]:  # noqa: ANN401
        """Log loss, accuracy, macro F1, calibration error, and F1 of each class.

        Raises:
            DataError: If sequences or classes cannot be used.
        """
        data = self._answered(X, y)
        log_probs = answers(self._fitted(), data.sequences, _logits)
        figures = self._figures(log_probs, data.flat)
        f1 = class_f1(log_probs.argmax(1), data.flat, len(self.classes_))
        return figures | {f"f1_{name}": float(f1[i]) for i, name in self._names()}

    def _finish(self, network: VectorNetwork, valid: Answered | None) -> None:
        """Fit the temperature T to the part held out.

        It minimises -sum log P(true class) + (log T)^2 / 2: the last term (log T has a
        standard normal distribution beforehand) keeps a small part without a mistake
        from making all answers sure.
        """
        if valid is None:
            return
        head = network.head
        assert isinstance(head, CategoricalHead | OrdinalHead)
        head.temperature.fill_(1.0)  # also where a finished run is resumed
        plain = self._judge(network, valid)

        def loss(log_temperature: float) -> float:
            head.temperature.fill_(float(np.exp(log_temperature)))
            told = self._judge(network, valid)["log_loss"]
            return told * len(valid.flat) + log_temperature**2 / 2

        found = minimize_scalar(
            loss, bounds=(-2.0, 2.0), method="bounded", options={"maxiter": 12}
        )
        head.temperature.fill_(float(np.exp(found.x)))
        self.calibration_ = {
            "temperature": float(head.temperature),
            "before": plain["calibration_error"],
            "after": self._judge(network, valid)["calibration_error"],
        }

    def _baselines(
        self,
        train: tuple[Items, np.ndarray],
        valid: tuple[Items, np.ndarray],
    ) -> Comparison:
        characters = self.settings.data.tokens in ("char", "byte")
        text = isinstance(train[0][0], str)
        models = classifier_baselines(text=text, characters=characters)
        fit_baselines(models, *train)
        rows: Comparison = []
        for name, model in models.items():
            chances = np.full((len(valid[1]), len(self.classes_)), 1e-12)
            chances[:, model.classes_] += model.predict_proba(valid[0])
            figures = self._figures(np.log(chances), valid[1])
            rows.append({"name": name, **figures})
        return rows

    def _learnt(self) -> dict[str, str]:
        return {CLASSES: classes_text(self.classes_, self._counts)}

    def _read_learnt(self, run: RunFolder) -> None:
        self.classes_, self._counts, _ = read_classes(run)

    def predict_proba(self, X: Data) -> np.ndarray:
        """P(class) of each sequence ``(items, classes)``, in the order of ``classes_``.

        Raises:
            DataError: If a sequence cannot be read.
        """
        return np.exp(self._log_probs(self._read(X)))

    def predict(self, X: Data) -> np.ndarray:
        """The likeliest class of each sequence ``(items,)``.

        Raises:
            DataError: If a sequence cannot be read.
        """
        log_probs = self._log_probs(self._read(X))
        return self.classes_[log_probs.argmax(1)]

    def _log_probs(self, sequences: Sequences) -> np.ndarray:
        return log_softmax(answers(self._fitted(), sequences, _logits), axis=1)


def _logits(found: Distribution) -> Tensor:
    logits = getattr(found, "logits", None)
    assert isinstance(logits, torch.Tensor)
    return logits


def _labels(y: Any) -> np.ndarray:  # noqa: ANN401 (whatever came)
    """Class labels as an array ``(items,)`` of one kind."""
    if y is None:
        raise DataError(
            "SequenceClassifier: y must give the class of each sequence, got None."
        )
    return as_labels(list(y), "SequenceClassifier", _ITEM)


_ITEM = "item {}".format
