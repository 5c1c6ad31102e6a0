"""An n-gram language model as a person trains it: from text, in a run folder."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from recurro.baselines import BaselineStepper, NGramModel, figures, write_arpa
from recurro.data.text import Progress as Reading
from recurro.errors import ArgumentError
from recurro.tasks.config import DataSettings, NGramSettings
from recurro.tasks.corpora import (
    Text,
    build_corpora,
    corpus_of,
    paths_of,
)
from recurro.tasks.language_task import line_sums, sum_by_line
from recurro.tasks.runs import begin_run, draft_folder, read_run
from recurro.tasks.speak import Speaker, Voice
from recurro.train import RunFolder

__all__ = ["NGramLanguageModel"]


class NGramLanguageModel(Speaker, BaseEstimator):
    r"""Interpolated modified Kneser-Ney n-grams with the verbs of scikit-learn.

    The arguments but the first are those of ``DataSettings``.

    Args:
        order: The longest n, at least 1.
        tokens: The symbols; words by default.
        lines: Whether each line is an item of its own.
        held_out: Share of the text, from its end, that is kept from training.
        encoding: The encoding of the files.
        lower: Turn letters into lower case.
        strip_accents: Take accents off.
        drop_control: Drop control characters.
        alphabet: The only characters to keep, or ``None`` for all.
        min_count: How often a symbol must be seen to enter the vocabulary.
        max_size: Symbols in the vocabulary at most.
        unknown: What becomes of other symbols.
        out: The run folder, or ``None`` to stay in memory.
        overwrite: Whether a run that is there may be deleted.

    Attributes:
        model_: The fitted ``NGramModel``.
        tokenizer_: The vocabulary.
        figures_: What ``evaluate`` gives of the held-out part.
        run_: The run folder, or ``None``.

    Example:
        >>> text = "to be or not to be\n" * 30
        >>> model = NGramLanguageModel(order=3).fit(text)
        >>> model.evaluate("to be or not to be\n")["perplexity"] < 2
        True

    References:
        Chen and Goodman (1999), An empirical study of smoothing techniques for language
        modeling, section 3.
    """

    out: str | Path | None
    overwrite: bool
    order: int

    def __init__(
        self,
        order: int = 5,
        *,
        tokens: str = "word",
        lines: bool = False,
        held_out: float = 0.05,
        encoding: str = "utf-8",
        lower: bool = False,
        strip_accents: bool = False,
        drop_control: bool = False,
        alphabet: str | None = None,
        min_count: int = 1,
        max_size: int | None = None,
        unknown: Literal["error", "replace", "drop"] | None = None,
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> None:
        values = dict(locals())
        del values["self"]
        vars(self).update(values)

    @property
    def settings(self) -> NGramSettings:
        """The arguments in their sections, checked.

        Raises:
            ConfigError: If one is wrong.
        """
        values = self.get_params(deep=False)
        data = {key: values[key] for key in DataSettings.model_fields if key in values}
        return NGramSettings(order=self.order, data=DataSettings(**data))

    def fit(
        self,
        text: Text,
        valid: Text | None = None,
        *,
        reading: Reading | None = None,
    ) -> Self:
        """Count, estimate, and score the part that is held out.

        Args:
            text: What to learn from.
            valid: What to score; without it, what ``held_out`` or the hash of the lines
                keeps from training.
            reading: Called with the bytes read and their total, for files.

        Raises:
            DataError: If the text cannot be read, or is too short.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
        """
        settings = self.settings.with_files(paths_of(text), paths_of(valid))
        out = None if self.out is None else Path(self.out)
        if out is not None:
            RunFolder.check_free(out, overwrite=self.overwrite)
        corpora = build_corpora(text, valid, settings.data, None, reading)
        tokenizer, train = corpora.tokenizer, corpora.train
        model = NGramModel(tokenizer.size, settings.order, boundary=tokenizer.eos_id)
        self.model_, self.tokenizer_ = model.fit(train.ids), tokenizer
        self.figures_ = self._figures(corpora.valid.ids)
        self.run_ = None
        if out is not None:
            with draft_folder(out, overwrite=self.overwrite) as draft:
                assert draft is not None
                self.run_ = begin_run(
                    out, draft, settings, tokenizer, overwrite=self.overwrite
                )
            packed = BytesIO()
            model.save(packed)
            tables = torch.frombuffer(bytearray(packed.getvalue()), dtype=torch.uint8)
            self.run_.write_weights({"npz": tables})
            self.run_.write_json("figures.json", self.figures_)
        return self

    def evaluate(self, text: Text) -> dict[str, float]:
        """Perplexity, unknown words counted as ``<unk>``; that of the known; counts.

        Raises:
            DataError: If the text cannot be read or has fewer than two tokens.
            VocabularyError: If a symbol is not in the vocabulary.
        """
        self._fitted()
        return self._figures(corpus_of(text, self.tokenizer_, self.settings.data).ids)

    def score(self, text: Text, y: object = None) -> float:
        """The mean log P of a token, in nats: higher is better."""
        return -float(np.log(self.evaluate(text)["perplexity"]))

    def log_prob(self, text: Text) -> np.ndarray:
        """Log P of each line that is not blank; as ``LanguageModel.log_prob``."""
        model = self._fitted()
        corpus = corpus_of(text, self.tokenizer_, self.settings.data)
        log_probs = model.log_probs(corpus.ids)
        if self.settings.data.lines:
            return line_sums(log_probs, corpus)
        return sum_by_line(log_probs, corpus, self.tokenizer_)

    def _voice(self, label: str | None) -> Voice:
        if label is not None:
            raise ArgumentError(
                f"generate: label is for a model by class, got {label!r} for one of "
                "n-grams. Leave it out."
            )
        says = BaselineStepper(self._fitted())
        return Voice(says, self.tokenizer_, torch.device("cpu"))

    def to_arpa(self, path: Path | str) -> None:
        """Write the model as an ARPA file, which other programs read.

        Raises:
            DataError: If its symbols cannot stand in such a file.
        """
        write_arpa(self._fitted(), self.tokenizer_.symbols, path)

    @classmethod
    def load(cls, run: Path | str) -> Self:
        """Read a trained model from its run folder.

        Raises:
            RunError: If it is no run of n-grams, was stopped before its end, was
                changed, or comes from a newer version.
        """
        folder, tree, tokenizer = read_run(run, "ngram")
        settings = NGramSettings(**tree)
        record = {"files", "valid", "by_class"}
        model = cls(settings.order, **settings.data.model_dump(exclude=record), out=run)
        model.tokenizer_, model.run_ = tokenizer, folder
        packed = folder.read_weights()["npz"]
        model.model_ = NGramModel.load(BytesIO(packed.numpy().tobytes()))
        return model

    def _figures(self, ids: np.ndarray) -> dict[str, float]:
        log_probs = self.model_.log_probs(ids)
        return figures(log_probs, ids[1:], self.tokenizer_.unk_id)

    def _fitted(self) -> NGramModel:
        if not hasattr(self, "model_"):
            raise NotFittedError(
                "NGramLanguageModel: must be fitted first. Call fit or load."
            )
        return self.model_
