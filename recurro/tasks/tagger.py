"""Sentences with a tag for each word: parts of speech, names, other spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from recurro.baselines import HMMTagger, MostFrequentTag
from recurro.data import (
    Sequences,
    allowed_transitions,
    find_scheme,
    read_word2vec,
    score_spans,
    token_accuracy,
)
from recurro.errors import SettingError
from recurro.tasks.comparison import Comparison
from recurro.tasks.in_step import StepClassifier
from recurro.tasks.readers import Items
from recurro.tasks.sequence_config import TaskSettings
from recurro.tasks.step_config import TagData, TagSettings
from recurro.tasks.vector_task import Answered
from recurro.tasks.words import WordReader, as_sentences
from recurro.train import RunFolder

__all__ = ["SequenceTagger"]


class SequenceTagger(StepClassifier, without=("column", "encoding", "valid", "test")):
    """A recurrent model of the tag of each word of a sentence.

    p(tags | words) = head(h_1 ... h_T), with h_t of a recurrence that reads, in both
    directions, an embedding of each word joined with what a recurrence over its letters
    says of it. ``head`` is ``softmax`` or ``crf``; where tags tell spans (B-person,
    I-person, O), the CRF gives those that the scheme of the training data allows.

    The arguments are those of ``TagData``, ``TagNetwork`` and ``SequenceTraining`` (in
    ``recurro.tasks.step_config`` and ``sequence_config``). Sentences are lists of
    words, tags lists of the same lengths. The best epoch is that of the highest span
    F1, or of the highest accuracy where tags tell no spans.

    Attributes:
        classes_: The tags, sorted.
        network_: The trained ``StepNetwork``.
        reader_: Words and letters.
        history_: What happened in training.
        run_: The run folder, or ``None``.
        baselines_: One row per model: ``name`` and the figures on the part held out;
            the network last. Empty if nothing was held out.

    Example:
        >>> words = [["the", "can"], ["I", "can"], ["the", "cans"], ["I", "run"]] * 5
        >>> tags = [["DET", "NOUN"], ["PRON", "VERB"]] * 10
        >>> settings = {"hidden_size": 16, "epochs": 10, "learning_rate": 0.02}
        >>> model = SequenceTagger(**settings, held_out=0).fit(words, tags)
        >>> model.predict([["the", "can"], ["I", "can"]])
        [['DET', 'NOUN'], ['PRON', 'VERB']]

    References:
        Plank, Sogaard and Goldberg (2016), arXiv 1604.05529, section 2; Lample et al.
        (2016), arXiv 1603.01360, sections 2 and 4.
    """

    task: ClassVar[str] = "tag"
    kind: ClassVar[type[TaskSettings]] = TagSettings

    def _items(self, X: Any) -> Items:  # noqa: ANN401
        return as_sentences(X)

    def _learn_reader(
        self,
        items: Items,
        targets: Any,  # noqa: ANN401
        settings: TaskSettings,
    ) -> WordReader:
        assert isinstance(settings.data, TagData)
        return WordReader.learn(items, settings.data)

    def _load_reader(self, run: RunFolder, settings: TaskSettings) -> WordReader:
        return WordReader.load(run)

    def _start(self, network: Any, reader: Any, material: Any) -> None:  # noqa: ANN401
        super()._start(network, reader, material)
        path, begun = self.settings.model.vectors, self.run_ and self.run_.trained
        if path is None or begun:
            return
        matrix, found = read_word2vec(path, ("<unk>", *reader.words))
        words = network.encoder.words.weight
        if matrix.shape[1] != words.shape[1]:
            raise SettingError(
                "TagNetwork",
                "embedding_size",
                f"must be {matrix.shape[1]}, the length of the vectors of '{path}', "
                f"got {words.shape[1]}.",
            )
        with torch.no_grad():
            words[torch.from_numpy(found)] = torch.from_numpy(matrix[found])

    def _allowed(self, targets: Sequences) -> np.ndarray | None:
        """What the scheme allows, and what else the training data do."""
        scheme = find_scheme(self._named(targets))
        if scheme is None or self.settings.model.head != "crf":
            return None
        allowed = allowed_transitions(self.classes_.tolist(), scheme)
        edge = np.array([len(self.classes_)])
        for item in range(len(targets)):
            path = np.concatenate([edge, targets[item], edge])
            allowed[path[:-1], path[1:]] = True
        return allowed

    @property
    def _spans(self) -> bool:
        """Whether tags tell spans."""
        return find_scheme([[str(tag) for tag in self.classes_]]) is not None

    def _named(self, targets: Sequences) -> list[list[str]]:
        """The tags of each sentence by name."""
        names = self.classes_[targets.values].astype(str)
        rows = Sequences(names, targets.starts)
        return [rows[item].tolist() for item in range(len(rows))]

    def _figures(
        self, log_probs: np.ndarray, named: np.ndarray, targets: Sequences
    ) -> dict[str, float]:
        told = self._named(Sequences(named, targets.starts))
        right = log_probs[np.arange(len(named)), targets.values]
        figures = tag_figures(self._named(targets), told, spans=self._spans)
        return {**figures, "log_loss": float(-right.mean())}

    def _chosen_by(self, network: Any, data: Answered) -> dict[str, float]:  # noqa: ANN401
        figures = self._judge(network, data)
        return {"error": 1 - figures.get("span_f1", figures["accuracy"]), **figures}

    def _baselines(
        self, train: tuple[Items, Sequences], valid: tuple[Items, Sequences]
    ) -> Comparison:
        models = {"most frequent tag": MostFrequentTag(), "hidden Markov": HMMTagger()}
        true = self._named(valid[1])
        rows: Comparison = []
        for name, model in models.items():
            found = model.fit(train[0], self._named(train[1])).predict(valid[0])
            rows.append({"name": name, **tag_figures(true, found, spans=self._spans)})
        return rows


def tag_figures(
    true: Sequence[Sequence[str]], told: Sequence[Sequence[str]], *, spans: bool
) -> dict[str, float]:
    """How well words are tagged.

    Args:
        true: The true tags of each sentence.
        told: Those that were told.
        spans: Whether tags tell spans.

    Returns:
        The share of words with the right tag; of spans also F1, precision and recall
        (both borders and the type right).

    Example:
        >>> tag_figures([["B-a", "O"]], [["B-a", "O"]], spans=True)["span_f1"]
        1.0
    """
    figures = {"accuracy": token_accuracy(true, told)}
    if not spans:
        return figures
    found = score_spans(true, told)
    return {
        **figures,
        "span_f1": found.f1,
        "span_precision": found.precision,
        "span_recall": found.recall,
    }
