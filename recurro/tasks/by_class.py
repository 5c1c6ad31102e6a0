"""P(text | class): which class a text is of, by how likely each makes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from recurro.cells import Cell
from recurro.data import LabelledItems, TextFilter, Tokenizer, build_corpus
from recurro.errors import ArgumentError, DataError
from recurro.nn.language import LanguageNetwork
from recurro.tasks.comparison import class_figures, compare_classes, read_comparison
from recurro.tasks.config import LanguageSettings
from recurro.tasks.corpora import labelled_corpora, open_labelled, text_filter
from recurro.tasks.language_model import LanguageModel
from recurro.tasks.language_task import LanguageTask, Part, log_likelihoods
from recurro.tasks.network import (
    Network,
    NetworkPerClass,
    Vectors,
    build_network,
    load_weights,
    stepper,
)
from recurro.tasks.runs import (
    begin_run,
    draft_folder,
    read_classes_of,
    read_run,
    state_folder,
)
from recurro.tasks.speak import Speaker, Voice
from recurro.train import Progress, RunFolder, train

__all__ = ["ClassLanguageModel"]


class ClassLanguageModel(Speaker, ClassifierMixin, BaseEstimator):
    """A classifier that asks which class would have written a text.

    class = argmax_c log P(text | c) + log P(c)

    with P(text | c) from a language model and P(c) the share of the class in the
    training items. The text is an item on a line, its end included.

    Args:
        model: The language model whose settings are used; it is not changed. Its
            ``lines`` must be true.
        separate: Whether each class has a network of its own; if not, one network reads
            the class beside each symbol, so that the classes learn from each other.

    Attributes:
        classes_: The names of the classes, sorted.
        log_prior_: log P(c), ``(classes,)``.
        network_: The trained network.
        tokenizer_: The vocabulary.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name``, accuracy and nats per symbol on the
            held-out items.

    Example:
        >>> words = ["aba", "bab", "abab", "baba", "xyx", "yxy", "xyxy", "yxyx"] * 40
        >>> labels = ["ab", "ab", "ab", "ab", "xy", "xy", "xy", "xy"] * 40
        >>> small = LanguageModel(lines=True, hidden_size=8, epochs=5, batch_size=8)
        >>> model = ClassLanguageModel(small).fit(words, labels)
        >>> model.predict(["ababab", "xyxyxy"]).tolist()
        ['ab', 'xy']

    References:
        Yogatama et al. (2017), arXiv 1703.01898, equations 1 and 2.
    """

    def __init__(
        self, model: LanguageModel | None = None, *, separate: bool = False
    ) -> None:
        self.model = model
        self.separate = separate

    def fit(
        self,
        items: Sequence[str],
        labels: Sequence[str] | np.ndarray,
        *,
        progress: Progress | None = None,
        source: str | None = None,
    ) -> Self:
        """Learn from items and their classes; those that hash says are held out.

        Args:
            items: Texts without newlines.
            labels: The class of each.
            progress: Shown how training goes.
            source: Where the items come from, for the record.

        Raises:
            DataError: If items and labels differ in number, or there are fewer than two
                classes.
            ConfigError: If a setting is wrong.
            RunError: If the run folder holds another run or cannot be written.
        """
        settings = self.settings
        record = settings.data.model_copy(update={"by_class": source})
        settings = settings.model_copy(update={"data": record})
        data = self._read(items, np.asarray(labels), text_filter(settings.data))
        self.classes_ = np.array(data.classes)
        counts = np.bincount(data.labels, minlength=len(self.classes_))
        self.log_prior_ = np.log(counts / counts.sum())
        out = self._prototype.out
        with draft_folder(None if out is None else Path(out)) as draft:
            tokenizer, *both = labelled_corpora(data, settings.data, draft)
            parts = both[0], both[1]
            network = self._network(settings, tokenizer)
            vectors = Vectors.read(settings.model, tokenizer)
            if vectors is not None:
                for part in network.modules():
                    if isinstance(part, LanguageNetwork):
                        vectors.start(part)
            self.run_ = None
            if out is not None and draft is not None:
                self.run_ = begin_run(
                    Path(out),
                    draft,
                    settings,
                    tokenizer,
                    overwrite=self._prototype.overwrite,
                    classes=dict(zip(data.classes, counts.tolist(), strict=True)),
                )
        return self._train(network, tokenizer, settings, parts, progress)

    def predict_log_proba(self, items: Sequence[str]) -> np.ndarray:
        """Log P(class | text), ``(items, classes)``, columns as ``classes_``.

        Raises:
            VocabularyError: If a symbol is not in the vocabulary.
        """
        joint = self.log_likelihood(items) + self.log_prior_
        top = joint.max(1, keepdims=True)
        return joint - top - np.log(np.exp(joint - top).sum(1, keepdims=True))

    def predict_proba(self, items: Sequence[str]) -> np.ndarray:
        """P(class | text), ``(items, classes)``, columns as ``classes_``."""
        return np.exp(self.predict_log_proba(items))

    def predict(self, items: Sequence[str]) -> np.ndarray:
        """The likeliest class of each text, ``(items,)``."""
        chances = self.predict_log_proba(items)
        return self.classes_[chances.argmax(1)]

    def log_likelihood(self, items: Sequence[str]) -> np.ndarray:
        """Log P(text | class), the end included, ``(items, classes)``.

        Raises:
            DataError: If an item is blank.
            VocabularyError: If a symbol is not in the vocabulary.
        """
        network = self._fitted()
        chosen = text_filter(self.settings.data)
        read = [chosen(item).strip() for item in items]
        if not all(read):
            raise DataError(
                f"predict: each item must have a symbol that is no white space, got "
                f"{items[read.index('')]!r}. Leave it out."
            )
        if not read:
            return np.zeros((0, len(self.classes_)))
        corpus = build_corpus(read, self.tokenizer_)
        return log_likelihoods(network, corpus, len(self.classes_))

    def evaluate(self, items: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
        """How well the classes are named: accuracy, macro-averaged F1 and log loss.

        The log loss is the mean of -log P(class | text) in nats.

        Raises:
            DataError: If a label is none of the classes.
        """
        ids = {name: c for c, name in enumerate(self.classes_)}
        unknown = sorted(set(map(str, labels)) - ids.keys())
        if unknown or len(labels) != len(items):
            raise DataError(
                f"evaluate: each item must be of a class among "
                f"{', '.join(self.classes_)}, got {unknown[:3] or len(labels)}. Check "
                "the labels."
            )
        truth = np.array([ids[str(label)] for label in labels])
        return class_figures(self.log_likelihood(items) + self.log_prior_, truth)

    def _voice(self, label: str | None) -> Voice:
        network = self._fitted()
        found = np.flatnonzero(self.classes_ == label)
        if len(found) == 0:
            raise ArgumentError(
                f"generate: the class must be one of {', '.join(self.classes_)}, got "
                f"{label!r}."
            )
        says = stepper(network, self.tokenizer_, int(found[0]))
        return Voice(says, self.tokenizer_, next(network.parameters()).device)

    def _read(
        self, items: Sequence[str], labels: np.ndarray, chosen: TextFilter
    ) -> LabelledItems:
        """Items and classes, filtered, without the blank ones."""
        if len(items) != len(labels):
            raise DataError(
                f"fit: each item must have a class, got {len(items)} items and "
                f"{len(labels)} labels. Check the labels."
            )
        read = [chosen(item).strip() for item in items]
        full = np.array([bool(item) for item in read], bool)
        classes, ids = np.unique(labels[full], return_inverse=True)
        if len(classes) < 2:
            raise DataError(
                f"fit: items must be of at least two classes, got {classes.tolist()}. "
                "Give items of another class."
            )
        kept = [item for item in read if item]
        return LabelledItems(kept, ids.astype(np.int64), tuple(map(str, classes)))

    @property
    def _prototype(self) -> LanguageModel:
        return LanguageModel(lines=True) if self.model is None else self.model

    @property
    def settings(self) -> LanguageSettings:
        """The settings of the model, checked.

        Raises:
            ArgumentError: If the model is one of running text.
            ConfigError: If a setting is wrong.
        """
        settings = self._prototype.settings
        if not settings.data.lines:
            raise ArgumentError(
                "ClassLanguageModel: the model must read items, got one of running "
                "text. Build it with lines=True."
            )
        update = {"task": "by-class", "separate": self.separate}
        return settings.model_copy(update=update)

    def _network(self, settings: LanguageSettings, tokenizer: Tokenizer) -> Network:
        classes, seed = len(self.classes_), settings.train.seed
        cell, sizes = self._prototype.cell, settings.model
        if not self.separate:
            return build_network(cell, sizes, tokenizer, conditions=classes, seed=seed)
        return NetworkPerClass(
            build_network(cell, sizes, tokenizer, seed=seed + c) for c in range(classes)
        )

    def _train(
        self,
        network: Network,
        tokenizer: Tokenizer,
        settings: LanguageSettings,
        parts: tuple[Part, Part],
        progress: Progress | None,
        resume: bool = False,
    ) -> Self:
        task = LanguageTask(network, *parts, settings.train)
        self.history_ = train(
            task, settings.train, self.run_, resume=resume, progress=progress
        )
        self.network_, self.tokenizer_ = network, tokenizer
        self.baselines_ = compare_classes(
            network, tokenizer.kind, *parts, self.log_prior_
        )
        if self.run_ is not None:
            self.run_.write_json("baselines.json", self.baselines_)
        return self

    @classmethod
    def load(cls, run: Path | str, *, cell: Cell | None = None) -> Self:
        """Read a trained model from its run folder; as ``LanguageModel.load``."""
        model, folder, settings, tokenizer = cls._open(run, cell)
        network = model._network(settings, tokenizer)
        load_weights(network, folder)
        model.network_, model.tokenizer_ = network.eval(), tokenizer
        model.baselines_ = read_comparison(folder)
        return model

    @classmethod
    def resume(
        cls,
        run: Path | str,
        *,
        cell: Cell | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Go on with a run that was stopped; as ``LanguageModel.resume``."""
        model, folder, settings, tokenizer = cls._open(run, cell)
        parts = open_labelled(state_folder(folder), tokenizer)
        network = model._network(settings, tokenizer)
        return model._train(network, tokenizer, settings, parts, progress, resume=True)

    @classmethod
    def _open(
        cls, path: Path | str, cell: Cell | None
    ) -> tuple[Self, RunFolder, LanguageSettings, Tokenizer]:
        run, tree, tokenizer = read_run(path, "by-class")
        settings = LanguageSettings(**tree)
        prototype = LanguageModel(**settings.arguments(cell), out=run.path)
        model = cls(prototype, separate=settings.separate)
        model.run_ = run
        counts = read_classes_of(run)
        model.classes_ = np.array(list(counts))
        numbers = np.array(list(counts.values()), float)
        model.log_prior_ = np.log(numbers / numbers.sum())
        return model, run, settings, tokenizer

    def _fitted(self) -> Network:
        if not hasattr(self, "network_"):
            raise NotFittedError(
                "ClassLanguageModel: must be fitted first. Call fit or load."
            )
        return self.network_
