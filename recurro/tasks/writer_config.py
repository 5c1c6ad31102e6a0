"""The settings of tasks that read something and write a text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from recurro.errors import SettingError
from recurro.nn.decoder import First
from recurro.tasks.config import DataSettings
from recurro.tasks.sequence_config import (
    ItemData,
    RecurrentNetwork,
    SequenceTraining,
    TaskSettings,
)

__all__ = ["WriterData", "WriterNetwork", "WriterSettings", "WriterTraining"]


class WriterData(ItemData):
    """How what is written is cut into tokens.

    Attributes:
        tokens: ``char``, ``byte``, ``word`` or ``bpe:N``.
        lower: Turn texts into lower case.
        min_count: How often a symbol must be seen to enter the vocabulary; ``None`` for
            twice in the case of words, and once otherwise.
        max_size: Symbols in the vocabulary at most, or ``None`` for no limit.
    """

    tokens: str = "char"
    lower: bool = False
    min_count: int | None = Field(default=None, ge=1)
    max_size: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _agree(self) -> WriterData:
        """Refuse what makes no sense for the tokens, by the rules of all texts."""
        values = {"tokens": self.tokens, "max_size": self.max_size}
        if self.min_count is not None:
            values["min_count"] = self.min_count
        DataSettings(**values)
        return self

    @property
    def least_count(self) -> int:
        """How often a symbol must be seen."""
        return self.min_count or (2 if self.tokens == "word" else 1)


class WriterNetwork(RecurrentNetwork):
    """What reads and what writes, and how texts are sought.

    Attributes:
        hidden_size: Units of each layer of the decoder.
        encoder_size: Units of each direction of the encoder's first layer; ``None`` for
            half of ``hidden_size`` in both directions, or for all in one.
        num_layers: Layers of the encoder, and of the decoder.
        bidirectional: Whether the encoder's first layer also reads backward. Layers
            upon it read its two directions forward.
        residual: Whether layers add what they read to what they give, from the second
            that reads as many units as it has.
        attention: How the decoder looks into what was read: ``none``, ``bahdanau``,
            ``dot`` or ``general`` (Luong's two).
        first_state: What the decoder starts from: ``summary``, a tanh layer over the
            encoder's summary; ``copy``, the encoder's last state; ``zeros``.
        each_step: Whether the decoder reads the summary at each step.
        embedding_size: Width of embeddings (``None``: ``hidden_size``).
        tied: Whether the softmax has the weights of the embedding.
        smoothing: Share of the probability that training wants spread over all tokens.
        scheduled_sampling: Share of the tokens read in training that the decoder draws
            itself; it rises from 0 to this from the first epoch to the last.
        beam_size: Sequences that a search keeps; 1 is greedy.
        length_power: A search divides log P by n^this, n the number of tokens.
        length_offset: It divides by ((n + this) / (1 + this))^length_power instead; Wu
            et al. use 5, with a power of 0.2 to 1.
        coverage: How much a text loses for what no token looked at; with attention.
        max_length: Most tokens of a text; ``None`` for twice the longest of training.
    """

    hidden_size: int = Field(default=256, ge=1)
    encoder_size: int | None = Field(default=None, ge=1)
    embedding_size: int | None = Field(default=128, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    residual: bool = False
    attention: Literal["none", "bahdanau", "dot", "general"] = "general"
    first_state: First = "summary"
    each_step: bool = False
    tied: bool = True
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    scheduled_sampling: float = Field(default=0.0, ge=0, le=1)
    beam_size: int = Field(default=5, ge=1)
    length_power: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    length_offset: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    coverage: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    max_length: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _reads_something(self) -> WriterNetwork:
        """Refuse a decoder that is fed nothing, or a copy that cannot fit."""
        name = type(self).__name__
        blind = self.attention == "none" and not self.each_step
        if self.first_state == "zeros" and blind:
            raise SettingError(
                name,
                "first_state",
                "must be summary or copy where there is no attention and each_step is "
                "off, got 'zeros': nothing of what is read would be known.",
            )
        if self.coverage and self.attention == "none":
            raise SettingError(
                name,
                "coverage",
                f"must be 0 where there is no attention, got {self.coverage}.",
            )
        own = self.encoder_size in (None, self.hidden_size)
        if self.first_state == "copy" and (self.bidirectional or not own):
            raise SettingError(
                name,
                "first_state",
                "must be summary or zeros for an encoder of other layers than the "
                "decoder's, got 'copy'. Set bidirectional=false and leave out "
                "encoder_size.",
            )
        return self

    @property
    def encoder_units(self) -> int:
        """Units of each direction of the encoder's first layer."""
        halves = 1 + self.bidirectional
        return self.encoder_size or max(1, self.hidden_size // halves)


class WriterTraining(SequenceTraining):
    """How the network is trained; as all tasks of sequences, with other defaults."""

    batch_size: int = Field(default=64, ge=1)
    epochs: int = Field(default=15, ge=1)
    learning_rate: float = Field(default=0.001, gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"


class WriterSettings(TaskSettings):
    """All settings of a run that writes texts; each task has a kind of its own."""

    data: WriterData = WriterData.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    model: WriterNetwork = WriterNetwork.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
    train: WriterTraining = WriterTraining.model_validate({})  # pyright: ignore[reportIncompatibleVariableOverride] (frozen)
