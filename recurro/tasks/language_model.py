"""Language models: text in, a model of P(next symbol | symbols before) out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from recurro.cells import LSTM, Cell
from recurro.data import Corpus, Tokenizer
from recurro.data.text import Progress as Reading
from recurro.errors import ArgumentError
from recurro.nn.language import LanguageNetwork
from recurro.tasks.comparison import compare, read_comparison
from recurro.tasks.config import (
    SECTIONS,
    CorpusSettings,
    LanguageSettings,
    LanguageTraining,
    ModelSettings,
    cell_tree,
)
from recurro.tasks.corpora import (
    Corpora,
    Text,
    build_corpora,
    corpus_of,
    open_corpora,
    paths_of,
)
from recurro.tasks.language_task import (
    LanguageTask,
    Part,
    figures,
    line_losses,
    sum_by_line,
    token_losses,
    total_loss,
)
from recurro.tasks.lines import check_lines, line_figures, written_figures
from recurro.tasks.network import Vectors, build_network, load_weights, stepper
from recurro.tasks.runs import begin_run, checked_state, draft_folder, read_run
from recurro.tasks.speak import Manner, Speaker, Voice
from recurro.train import Progress, RunFolder, check_device, train

__all__ = ["LanguageModel"]


class LanguageModel(Speaker, BaseEstimator):
    """A recurrent language model with the verbs of scikit-learn.

    P(text) = prod_t P(symbol_t | symbols before), the factors from a softmax over what
    a recurrent network has read.

    The arguments are those of ``recurro.tasks.config``: ``CorpusSettings`` (what is
    read), ``ModelSettings`` (the network) and ``LanguageTraining`` (how it is trained)
    say what each means. ``cell`` is an object, also one of your own; ``out`` names a
    run folder, without which all stays in memory; ``overwrite`` lets it replace a run
    that is there.

    A text is a ``str`` itself; files, folders and patterns are ``Path`` objects, one or
    several; with ``lines=True`` a list of strings is a list of items.

    Attributes:
        network_: The trained ``LanguageNetwork``.
        tokenizer_: The vocabulary.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model, ``name`` and the figures of ``evaluate`` on the
            held-out part: uniform, unigram, n-gram, and the network last. Of lines also
            figures of ``evaluate_lines``, of 1,000 lines at most.
        grammar_: What valid lines follow: ``smiles``, or ``None``.

    Example:
        >>> text = "to be or not to be, that is the question. " * 90
        >>> model = LanguageModel(hidden_size=16, epochs=1, seed=1).fit(text)
        >>> sorted(model.evaluate("to be"))
        ['bits_per_char', 'nats_per_token', 'perplexity']
        >>> model.generate("to be", 5, seed=0).startswith("to be")
        True

    References:
        Mikolov et al. (2010), Recurrent neural network based language model,
        equations 1 to 3; Graves (2013), arXiv 1308.0850, equations 1 to 6.
    """

    cell: Cell
    out: str | Path | None
    overwrite: bool

    def __init__(
        self,
        *,
        tokens: str = "char",
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
        syntax: Literal["smiles", "none"] | None = None,
        cell: Cell = LSTM(),  # noqa: B008 (a frozen value)
        hidden_size: int = 256,
        num_layers: int = 1,
        embedding_size: int | None = None,
        tied: bool = False,
        deep_output: int = 0,
        residual: bool = False,
        transition_depth: int = 1,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_drop: float = 0.0,
        hidden_clip: float | None = None,
        spectral_bound: float | None = None,
        adaptive_cutoffs: Sequence[int] = (),
        backend: Literal["auto", "reference", "vendor", "cpu", "scan"] = "auto",
        vectors: str | None = None,
        batch_size: int = 32,
        bptt: int | Sequence[int] = 100,
        random_bptt: bool = False,
        epochs: int = 10,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.002,
        momentum: float = 0.0,
        nesterov: bool = False,
        betas: Sequence[float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        average: float | None = None,
        nonmonotone: int = 5,
        schedule: Literal["constant", "cosine", "plateau"] = "constant",
        warmup_steps: int = 0,
        final_rate: float = 0.0,
        plateau_factor: float = 4.0,
        plateau_patience: int = 0,
        scale_by_length: bool = False,
        clip: float | Literal["auto"] | None = 1.0,
        clip_mode: Literal["norm", "element"] = "norm",
        accumulate: int = 1,
        validate_every: int | None = None,
        patience: int | None = None,
        keep: Literal["best", "last"] = "best",
        checkpoint_seconds: float | None = 120.0,
        checkpoint_steps: int | None = None,
        log_every: int = 50,
        seed: int = 0,
        precision: Literal["32", "bf16"] = "32",
        device: str = "auto",
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> None:
        values = dict(locals())
        del values["self"]
        vars(self).update(values)

    @property
    def settings(self) -> LanguageSettings:
        """The arguments in their sections, checked.

        Raises:
            ConfigError: If one is wrong.
        """
        values = self.get_params(deep=False)
        values["cell"] = cell_tree(values["cell"])
        data, model, training = (
            {key: values[key] for key in kind.model_fields if key in values}
            for kind in SECTIONS.values()
        )
        return LanguageSettings(
            data=CorpusSettings(**data),
            model=ModelSettings(**model),
            train=LanguageTraining(**training),
        )

    def fit(
        self,
        text: Text,
        valid: Text | None = None,
        *,
        progress: Progress | None = None,
        reading: Reading | None = None,
    ) -> Self:
        """Learn the vocabulary, train the network and the baselines beside it.

        Args:
            text: What to learn from.
            valid: What choices (the best epoch) are made on; without it the last
                ``held_out`` of a running text, or the lines whose hash says so.
            progress: Shown how training goes.
            reading: Called with the bytes read and their total, for files.

        Raises:
            DataError: If the text cannot be read, or is too short.
            ConfigError: If an argument is wrong.
            RunError: If ``out`` holds another run or cannot be written.
            DivergenceError: If training explodes and does not come back.
        """
        settings, out = self.settings, None if self.out is None else Path(self.out)
        settings = settings.with_files(paths_of(text), paths_of(valid))
        check_device(settings.train)
        with draft_folder(out, overwrite=self.overwrite) as draft:
            corpora = build_corpora(text, valid, settings.data, draft, reading)
            check_lines(corpora.train, corpora.tokenizer, settings.data.grammar)
            network = self._network(settings, corpora.tokenizer)
            vectors = Vectors.read(settings.model, corpora.tokenizer)
            if vectors is not None:
                vectors.start(network)
            self.run_ = None
            if out is not None and draft is not None:
                self.run_ = begin_run(
                    out, draft, settings, corpora.tokenizer, overwrite=self.overwrite
                )
        return self._train(network, settings, corpora, progress)

    def _network(
        self, settings: LanguageSettings, tokenizer: Tokenizer
    ) -> LanguageNetwork:
        return build_network(
            self.cell, settings.model, tokenizer, seed=settings.train.seed
        )

    def _train(
        self,
        network: LanguageNetwork,
        settings: LanguageSettings,
        corpora: Corpora,
        progress: Progress | None,
        resume: bool = False,
    ) -> Self:
        lines = settings.data.lines
        parts = Part(corpora.train, lines), Part(corpora.valid, lines)
        task = LanguageTask(network, *parts, settings.train)
        self.history_ = train(
            task, settings.train, self.run_, resume=resume, progress=progress
        )
        self.network_, self.tokenizer_ = network, corpora.tokenizer
        self.grammar_ = settings.data.grammar
        self.lines_ = corpora.train
        self.baselines_ = compare(network, corpora.tokenizer, *parts, self.grammar_)
        if self.run_ is not None:
            self.run_.write_json("baselines.json", self.baselines_)
        return self

    def evaluate(self, text: Text) -> dict[str, float]:
        """Nats per token, bits per character and perplexity of a text.

        The state is carried over the whole of a running text; lines stand alone.

        Raises:
            DataError: If the text cannot be read or has fewer than two tokens.
            VocabularyError: If a symbol is not in the vocabulary.
        """
        part = self._part(text)
        loss, tokens = total_loss(self._fitted(), part)
        return figures(loss, tokens, part.corpus.characters)

    def evaluate_lines(
        self, number: int = 2000, *, temperature: float = 1.0, seed: int = 0
    ) -> dict[str, float]:
        """Let a model of lines write some; how many are valid, different and new.

        The keys are those of ``recurro.tasks.lines.line_figures``: ``uniqueness``,
        ``novelty`` against the training part, and of SMILES ``validity`` (syntax),
        ``valence_validity``, and ``rdkit_validity`` where RDKit is installed.

        Args:
            number: How many lines are written, at least 1.
            temperature: As in ``stream``.
            seed: The same seed, the same lines.

        Raises:
            ArgumentError: If it is a model of running text, or an argument is out of
                its range.
            RunError: If the run no longer holds what it was trained on.
            DataError: If that was changed.
        """
        voice, seen = self._voice(None), self._seen()
        manner = Manner(temperature=temperature, seed=seed)
        return written_figures(voice, seen, self.grammar_, number, manner)

    def judge_lines(self, texts: Sequence[str]) -> dict[str, float]:
        """The figures of ``evaluate_lines`` for lines that are written already.

        Args:
            texts: The lines, at least one.

        Raises:
            ArgumentError: If it is a model of running text.
            RunError: If the run no longer holds what it was trained on.
            DataError: If that was changed.
        """
        return line_figures(texts, self._seen(), self.tokenizer_, self.grammar_)

    def _seen(self) -> Corpus:
        """The lines of the training part, from the run where they are not at hand."""
        self._fitted()
        if not self.tokenizer_.lines:
            raise ArgumentError(
                "LanguageModel: lines are judged of a model of lines, got one of "
                "running text. Train with lines=True."
            )
        if not hasattr(self, "lines_"):
            assert self.run_ is not None
            self.lines_ = open_corpora(checked_state(self.run_), self.tokenizer_).train
        return self.lines_

    def score(self, text: Text, y: object = None) -> float:
        """The mean log P of a token, in nats: higher is better.

        Args:
            text: What is scored.
            y: Nothing; scikit-learn passes it.
        """
        return -self.evaluate(text)["nats_per_token"]

    def log_prob(self, text: Text) -> np.ndarray:
        """Log P of each line that is not blank, its end included, ``(lines,)``.

        With ``lines=True`` each stands alone. Otherwise each is what running text goes
        on with after the lines before it; together they are log P of the text (given
        its first symbol, where nothing stands before that).

        Raises:
            DataError: If the text cannot be read or has fewer than two tokens.
            VocabularyError: If a symbol is not in the vocabulary.
        """
        part, network = self._part(text), self._fitted()
        if part.lines:
            return -line_losses(network, part)
        losses = token_losses(network, part, streams=1)
        return -sum_by_line(losses, part.corpus, self.tokenizer_)

    def _voice(self, label: str | None) -> Voice:
        network = self._fitted()
        if label is not None:
            raise ArgumentError(
                f"generate: label is for a model by class, got {label!r} for one of "
                "text. Leave it out."
            )
        device = next(network.parameters()).device
        return Voice(stepper(network), self.tokenizer_, device)

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the model as a run folder: settings, vocabulary, weights, baselines.

        Args:
            path: The folder; it must be new or empty.
            overwrite: Whether a run that is there may be deleted.

        Raises:
            RunError: If it holds another run, or cannot be written.
        """
        network, settings = self._fitted(), self.settings
        if settings.data.syntax is None and self.grammar_ is not None:  # by the files
            data = settings.data.model_copy(update={"syntax": self.grammar_})
            settings = settings.model_copy(update={"data": data})
        with draft_folder(Path(path), overwrite=overwrite) as draft:
            assert draft is not None
            run = begin_run(
                Path(path), draft, settings, self.tokenizer_, overwrite=overwrite
            )
        run.write_weights(network.state_dict())
        run.write_json("baselines.json", self.baselines_)

    @classmethod
    def load(cls, run: Path | str, *, cell: Cell | None = None) -> Self:
        """Read a trained model from its run folder.

        Args:
            run: The folder.
            cell: The cell it was trained with, if that is one of your own: no class is
                found by name outside ``recurro.cells``.

        Raises:
            RunError: If it is no run, was stopped before its first weights, was changed
                or comes from a newer version.
            ConfigError: If the cell is unknown, or not the one passed.
        """
        model, folder, settings, tokenizer = cls._open(run, cell)
        network = model._network(settings, tokenizer)
        load_weights(network, folder)
        model.network_, model.tokenizer_ = network.eval(), tokenizer
        model.run_, model.baselines_ = folder, read_comparison(folder)
        model.grammar_ = settings.data.grammar
        return model

    @classmethod
    def resume(
        cls,
        run: Path | str,
        *,
        cell: Cell | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Go on with a run that was stopped, as if it had never been.

        Args:
            run: The folder.
            cell: The cell it is trained with, if that is one of your own.
            progress: Shown how training goes.

        Raises:
            RunError: If it is no run, lacks the text it learns from, or was changed.
        """
        model, folder, settings, tokenizer = cls._open(run, cell)
        corpora = open_corpora(checked_state(folder), tokenizer)
        network = model._network(settings, tokenizer)
        begun = folder.trained  # if not, it was stopped before its first step
        return model._train(network, settings, corpora, progress, resume=begun)

    @classmethod
    def _open(
        cls, path: Path | str, cell: Cell | None
    ) -> tuple[Self, RunFolder, LanguageSettings, Tokenizer]:
        run, tree, tokenizer = read_run(path, "lm")
        settings = LanguageSettings(**tree)
        model = cls(**settings.arguments(cell), out=run.path)
        model.run_ = run
        return model, run, settings, tokenizer

    def _fitted(self) -> LanguageNetwork:
        if not hasattr(self, "network_"):
            raise NotFittedError(
                "LanguageModel: must be fitted first. Call fit or load."
            )
        return self.network_

    def _part(self, text: Text) -> Part:
        self._fitted()
        data = self.settings.data
        return Part(corpus_of(text, self.tokenizer_, data), data.lines)
