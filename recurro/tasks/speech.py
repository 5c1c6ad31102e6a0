"""Speech to text."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from torch.distributions import Categorical

from recurro.baselines import JoinedTemplates, MostFrequentText
from recurro.data import (
    Sequences,
    Tokenizer,
    Variation,
    draw_joins,
    encode_texts,
)
from recurro.data.spoken import load_samples
from recurro.errors import DataError
from recurro.generate import token_error_rate, word_error_rate
from recurro.nn import CTCHead, Recurrent, StepNetwork
from recurro.tasks.comparison import Comparison
from recurro.tasks.fusion import Decoding, language_of
from recurro.tasks.readers import VOCABULARY, Items, load_scaler
from recurro.tasks.sequence import SequenceEstimator
from recurro.tasks.sequence_config import RecurrentNetwork, TaskSettings
from recurro.tasks.speak import Speaker
from recurro.tasks.speech_config import SpeechSettings
from recurro.tasks.speech_reader import (
    SpeechPasses,
    SpeechReader,
    join_targets,
    joint_ids,
    steps_of,
)
from recurro.tasks.vector_task import Answered, Passes, answers, mean_loss
from recurro.train import RunFolder

__all__ = ["SpeechRecognizer"]

Ids = tuple[int, ...]


class SpeechRecognizer(SequenceEstimator, defaults={"join": 1, "language_model": None}):
    """A recurrent recogniser of speech: recordings in, texts out.

    P(text | x) = sum over all paths that mean it of prod_t softmax(W h_t + b), with h_t
    of a recurrence that reads the energies of mel bands, in both directions, and a path
    that names a token or a blank at each step (CTC). Texts are found by the likeliest
    path, or by a beam search over prefixes, in which a language model may have a say.

    The arguments are those of ``recurro.tasks.speech_config``: ``SpeechData``,
    ``SpeechNetwork`` and ``SpeechTraining`` say what each means. ``cell`` is an object,
    also one of your own; ``out`` names a run folder, without which all stays in memory;
    ``overwrite`` lets it replace a run that is there. ``language_model`` is a fitted
    ``LanguageModel`` or ``NGramLanguageModel`` of lines, or the run folder of one; like
    the other arguments of decoding it may be set after training by ``set_params``.

    Recordings are a list of paths of WAV files, of ``Sound``, or of arrays ``(time,)``
    that have ``rate`` samples per second; those of more are resampled. Texts are a list
    of strings. Scaling is learnt from the training part alone.

    Attributes:
        tokenizer_: The vocabulary of the texts; the end of a line is the blank.
        network_: The trained ``StepNetwork``.
        reader_: What hears recordings.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> time, bump = np.arange(1600) / 8000, np.hanning(1600)
        >>> low, high = bump * np.sin(2e3 * time), bump * np.sin(9e3 * time)
        >>> settings = {"join": (1, 3), "bands": 8, "hop": 0.02, "stack": 4,
        ...             "mask_bands": 0, "mask_time": 0, "held_out": 0,
        ...             "hidden_size": 16, "num_layers": 1, "dropout": 0, "epochs": 20,
        ...             "batch_size": 4, "learning_rate": 0.02, "warmup_steps": 5}
        >>> model = SpeechRecognizer(**settings)
        >>> model = model.fit([low, high] * 20, ["l", "h"] * 20)
        >>> model.predict([np.concatenate([high, low])])
        ['hl']

    References:
        Graves et al. (2006), doi:10.1145/1143844.1143891; Hannun et al. (2014),
        arXiv:1408.2873 (language model).
    """

    task: ClassVar[str] = "transcribe"
    _learns_anew: ClassVar[bool] = True
    kind: ClassVar[type[TaskSettings]] = SpeechSettings

    seed: int
    language_model: Speaker | Path | str | None
    tokenizer_: Tokenizer

    # Recordings and texts.

    def _items(self, X: Any) -> Items:  # noqa: ANN401
        rate = self.settings.data.rate
        samples, changed = load_samples(X, rate)
        if 0 < changed < len(samples):
            note = (
                f"{changed} of {len(samples)} recordings have more than {rate} samples "
                "per second and were resampled."
            )
            warnings.warn(note, stacklevel=4)
        return samples

    def _learn_targets(self, y: Any) -> Sequences:  # noqa: ANN401
        texts, data = self._texts(y), self.settings.data
        seen = [*texts]
        if data.join[1] > 1:
            usual = " " if any(len(text) > 1 for text in texts) else ""
            joint = usual if data.joint is None else data.joint
            seen.append(joint.join([texts[0], texts[-1]]))
        self.tokenizer_ = Tokenizer.fit(
            seen, data.tokens, lines=True, unknown="replace"
        )
        return encode_texts(texts, self.tokenizer_)

    def _targets(self, y: Any) -> Sequences:  # noqa: ANN401
        texts = self._texts(y)
        unknown = sorted({s for text in texts for s in self.tokenizer_.missing(text)})
        if unknown:
            many = len(unknown) > 1
            what = f"{len(unknown)} tokens of the texts were" if many else "1 token was"
            note = (
                f"{what} not in training, where there is an error: "
                f"{', '.join(map(repr, unknown[:5]))}."
            )
            warnings.warn(note, stacklevel=4)
        return encode_texts(texts, self.tokenizer_)

    def _texts(self, y: Any) -> list[str]:  # noqa: ANN401
        """Texts with single spaces."""
        lower, texts = self.settings.data.lower, []
        if y is None or isinstance(y, str):
            raise DataError(
                f"SpeechRecognizer: y must give the text of each recording, got {y!r}."
            )
        for number, text in enumerate(y):
            words = text.split() if isinstance(text, str) else []
            if not words:
                raise DataError(
                    f"SpeechRecognizer: recording {number} must have a text, got "
                    f"{text!r}. Write it, or leave the recording out."
                )
            spaced = " ".join(words)
            texts.append(spaced.lower() if lower else spaced)
        return texts

    def _check_steps(self, X: Any, items: Items, targets: Sequences) -> None:  # noqa: ANN401
        """Each recording must have a step for each token, and one between equals."""
        data = self.settings.data
        for number, (item, ids) in enumerate(zip(items, targets, strict=True)):
            wanted = len(ids) - 1 + int((ids[1:] == ids[:-1]).sum())
            steps = steps_of(len(item), data)
            if steps < wanted:
                given = X[number]
                name = f"'{given}'" if isinstance(given, str | Path) else number
                raise DataError(
                    f"SpeechRecognizer: recording {name} must last {wanted} steps of "
                    f"{data.stack * data.hop:g} s for its text, got {steps}. Mend the "
                    "text, leave the recording out, or lower stack or hop."
                )

    def _held_out(self, items: Items, targets: Any) -> tuple[Items, Any]:  # noqa: ANN401
        """Joined as those of training are, but not varied."""
        data, train = self.settings.data, self.settings.train
        if data.join == (1, 1):
            return items, targets
        draw, plain = (
            np.random.default_rng(train.seed),
            Variation(data.rate, gap=data.gap),
        )
        joint = joint_ids(self.tokenizer_, data)
        rows = draw_joins(len(items), data.join, draw)
        joined = [
            plain([np.asarray(items[row]) for row in join], draw) for join in rows
        ]
        return joined, Sequences.of(
            [join_targets(targets, join, joint, self._blank) for join in rows]
        )

    def _learn_reader(
        self,
        items: Items,
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> SpeechReader:
        assert isinstance(settings, SpeechSettings)
        return SpeechReader.learn(items, settings.data)

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> SpeechReader:
        assert isinstance(settings, SpeechSettings)
        return SpeechReader(settings.data, load_scaler(run))

    def _passes(self, reader: Any, items: Items, targets: Any) -> Passes:  # noqa: ANN401
        return SpeechPasses(reader, items, targets, self.tokenizer_, self.seed)

    def _learnt(self) -> dict[str, str]:
        return {VOCABULARY: self.tokenizer_.to_json()}

    def _read_learnt(self, run: RunFolder) -> None:
        self.tokenizer_ = Tokenizer.load(run.path / VOCABULARY)

    @property
    def _blank(self) -> int:
        """The blank: the end of a line, which no text holds."""
        assert self.tokenizer_.eos_id is not None
        return self.tokenizer_.eos_id

    # The network.

    def _joined(
        self, encoder: nn.Module, recurrent: Recurrent, settings: TaskSettings
    ) -> StepNetwork:
        head = self._head(recurrent.output_size, settings.model)
        return StepNetwork(encoder, recurrent, head, dropout=settings.model.dropout)

    def _head(self, features: int, settings: RecurrentNetwork) -> CTCHead:
        return CTCHead(features, self.tokenizer_.size, blank=self._blank)

    # Figures.

    def _chosen_by(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        return self._scored(network, data, Decoding())

    def _judge(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        return self._scored(network, data, self._decoding())

    def _scored(
        self, network: StepNetwork, data: Answered, decoding: Decoding
    ) -> dict[str, float]:
        assert isinstance(data.targets, Sequences)
        found = self._found(network, data.sequences, decoding)
        return {
            "nats_per_token": mean_loss(network, data),
            **self._figures(data.targets, found),
        }

    def _figures(self, targets: Sequences, found: Sequence[Ids]) -> dict[str, float]:
        """Edits per token and per word."""
        true = [tuple(ids[:-1].tolist()) for ids in targets]
        decode = self.tokenizer_.decode
        return {
            "token_error_rate": token_error_rate(true, found),
            "word_error_rate": word_error_rate(
                [decode(ids) for ids in true], [decode(ids) for ids in found]
            ),
        }

    def _decoding(self) -> Decoding:
        """How texts are found, by the arguments."""
        model = self.settings.model
        fusion = None
        if self.language_model is not None:
            fusion = language_of(
                self.language_model, self.tokenizer_, model.language_weight
            )
        return Decoding(model.beam_size, fusion, model.length_bonus)

    def _found(
        self, network: StepNetwork, sequences: Sequences, decoding: Decoding
    ) -> list[Ids]:
        """The tokens of each sequence."""
        log_probs = answers(network, sequences, _logits)
        if self.tokenizer_.unk_id is not None:
            log_probs[:, self.tokenizer_.unk_id] = -np.inf  # it is no answer
        rows = Sequences(log_probs, sequences.starts)
        return [decoding(row, self._blank) for row in rows]

    def _baselines(
        self, train: tuple[Items, Any], valid: tuple[Items, Any]
    ) -> Comparison:
        """The most frequent text, and the templates of training joined to fit."""
        heard, texts = self._framed(*train)
        given, _ = self._framed(*valid)
        templates = JoinedTemplates().fit(heard, texts)
        models = {
            "most frequent text": MostFrequentText().fit(heard, texts),
            f"{templates.kept_} templates, joined": templates,
        }
        return [
            {"name": name, **self._figures(valid[1], model.predict(given))}
            for name, model in models.items()
        ]

    def _framed(
        self, items: Items, targets: Sequences
    ) -> tuple[list[np.ndarray], list[Ids]]:
        """Scaled frames and tokens of each recording."""
        frames = [self.reader_.frames(np.asarray(item)) for item in items]
        return frames, [tuple(ids[:-1].tolist()) for ids in targets]

    # Verbs.

    def predict(self, X: Sequence[Any]) -> list[str]:
        """The text of each recording.

        Raises:
            DataError: If a recording cannot be read.
        """
        network, decoding = self._fitted(), self._decoding()
        found = self._found(network, self._read(X), decoding)
        return [self.tokenizer_.decode(ids) for ids in found]

    def score(self, X: Sequence[Any], y: Sequence[str]) -> float:
        """1 less the edits per token; below 0 where there are more edits than tokens.

        Raises:
            DataError: If recordings or texts cannot be used.
        """
        return 1 - self.evaluate(X, y)["token_error_rate"]


def _logits(found: Any) -> Tensor:  # noqa: ANN401 (what the head gives)
    assert isinstance(found, Categorical)
    return found.logits
