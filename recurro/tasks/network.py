"""The network of a language model, built from its settings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recurro.cells import Cell
from recurro.data import Tokenizer
from recurro.errors import ConfigError, RunError
from recurro.nn import Recurrent
from recurro.nn.language import LanguageNetwork, NetworkStepper
from recurro.tasks.config import ModelSettings
from recurro.train import RunFolder
from recurro.types import Int, State, Stepper

__all__ = ["build_network", "load_weights", "stepper"]


def build_network(
    cell: Cell,
    settings: ModelSettings,
    tokenizer: Tokenizer,
    *,
    conditions: int = 0,
    seed: int = 0,
) -> LanguageNetwork:
    """A network with random weights, the same for the same seed.

    Args:
        cell: The recurrence.
        settings: All else.
        tokenizer: The vocabulary.
        conditions: Classes that the text may depend on; 0 for none.
        seed: Seed of the weights; the global random state is left as it was.

    Raises:
        ArgumentError: If sizes do not fit each other.
        ConfigError: If an adaptive softmax is asked for symbols that are no words.
    """
    if settings.adaptive_cutoffs and tokenizer.kind != "word":
        raise ConfigError(
            "adaptive_cutoffs: the vocabulary must be sorted by frequency, as that of "
            f"words is, got tokens={tokenizer.kind!r}. Leave the setting out."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _build(cell, settings, tokenizer.size, conditions)


def _build(
    cell: Cell, settings: ModelSettings, size: int, conditions: int
) -> LanguageNetwork:
    recurrent = Recurrent(
        cell,
        settings.embedding_size or settings.hidden_size,
        settings.hidden_size,
        settings.num_layers,
        residual=settings.residual,
        variational_dropout=settings.dropout,
        recurrent_dropout=settings.recurrent_dropout,
        zoneout=settings.zoneout,
        weight_drop=settings.weight_drop,
        transition_depth=settings.transition_depth,
        hidden_clip=settings.hidden_clip,
        spectral_bound=settings.spectral_bound,
        backend=settings.backend,
    )
    return LanguageNetwork(
        size,
        recurrent,
        conditions=conditions,
        tied=settings.tied,
        deep_output=settings.deep_output,
        dropout=settings.dropout,
        adaptive_cutoffs=settings.adaptive_cutoffs,
    )


def load_weights(network: LanguageNetwork, run: RunFolder) -> None:
    """Read the weights of a run into a network.

    Raises:
        RunError: If there are none, or they are those of another network.
    """
    try:
        network.load_state_dict(run.read_weights())
    except RuntimeError as error:
        if isinstance(error, RunError):
            raise
        raise RunError(
            f"{run.path}: model.safetensors must fit config.yaml, got weights of "
            "another network. Put both back from one copy."
        ) from None


def stepper(
    network: LanguageNetwork, tokenizer: Tokenizer, condition: int | None = None
) -> Stepper:
    """The network as a decoder sees it; the unknown symbol is never said.

    Args:
        network: A network in evaluation mode.
        tokenizer: Its vocabulary.
        condition: The class of the text, or ``None``.
    """
    plain = NetworkStepper(network, condition)
    return plain if tokenizer.unk_id is None else _Without(plain, tokenizer.unk_id)


@dataclass(frozen=True)
class _Without:
    """A stepper that gives one id no probability, and the rest all of it."""

    inner: Stepper
    barred: int

    def init(self, batch_size: int) -> State:
        """The state before the first token."""
        return self.inner.init(batch_size)

    def step(self, state: State, tokens: Int[Tensor, " batch"]) -> tuple[State, Tensor]:
        """Read tokens; give the log-probabilities of the next ``(batch, vocab)``."""
        state, log_probs = self.inner.step(state, tokens)
        log_probs = log_probs.clone()
        log_probs[:, self.barred] = -torch.inf
        return state, log_probs.log_softmax(1)

    def select(self, state: State, rows: Int[Tensor, " batch"]) -> State:
        """The state of the named rows."""
        return self.inner.select(state, rows)
