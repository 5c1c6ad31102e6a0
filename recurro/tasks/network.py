"""The network of a language model, built from its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from recurro.cells import Cell
from recurro.data import Tokenizer, read_word2vec
from recurro.errors import RunError, SettingError
from recurro.nn import Recurrent
from recurro.nn.language import LanguageNetwork, NetworkStepper
from recurro.tasks.config import ModelSettings
from recurro.train import RunFolder
from recurro.types import Batch, Float, State, Stepper

__all__ = [
    "Network",
    "NetworkPerClass",
    "Vectors",
    "build_network",
    "load_weights",
    "stepper",
]


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
        raise SettingError(
            "ModelSettings",
            "adaptive_cutoffs",
            "must be left out but for words, whose vocabulary is sorted by frequency, "
            f"got {settings.adaptive_cutoffs} for tokens {tokenizer.kind!r}.",
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
    _check_tied(settings, recurrent)
    return LanguageNetwork(
        size,
        recurrent,
        conditions=conditions,
        tied=settings.tied,
        deep_output=settings.deep_output,
        dropout=settings.dropout,
        adaptive_cutoffs=settings.adaptive_cutoffs,
    )


def _check_tied(settings: ModelSettings, recurrent: Recurrent) -> None:
    """Refuse to share the embedding's weights with an output layer of other shape."""
    width = settings.deep_output or recurrent.output_size
    if settings.tied and settings.adaptive_cutoffs:
        raise SettingError(
            "ModelSettings",
            "tied",
            "must be left out with adaptive_cutoffs, got both. Leave one of them out.",
        )
    if settings.tied and width != recurrent.input_size:
        raise SettingError(
            "ModelSettings",
            "tied",
            f"must come with an embedding as wide as the last layer, got widths of "
            f"{recurrent.input_size} and {width}. Set embedding_size={width}.",
        )


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors that an embedding starts from.

    Attributes:
        matrix: One row per symbol ``(vocab, features)``.
        found: Which symbols have one ``(vocab,)``.
    """

    matrix: np.ndarray
    found: np.ndarray

    @staticmethod
    def read(settings: ModelSettings, tokenizer: Tokenizer) -> Vectors | None:
        """The vectors that the settings name, if they name any.

        Raises:
            DataError: If the file is missing or damaged, or knows no symbol.
            ConfigError: If they have another width than the embedding.
        """
        if settings.vectors is None:
            return None
        matrix, found = read_word2vec(settings.vectors, tokenizer.symbols)
        width = settings.embedding_size or settings.hidden_size
        if matrix.shape[1] != width:
            raise SettingError(
                "ModelSettings",
                "vectors",
                f"must be as wide as the embedding, {width}, got vectors of width "
                f"{matrix.shape[1]}. Set embedding_size={matrix.shape[1]}.",
            )
        return Vectors(matrix, found)

    @torch.no_grad()
    def start(self, network: LanguageNetwork) -> None:
        """Put them into the embedding; symbols without one keep what they have."""
        weight = network.embedding.weight
        weight[torch.from_numpy(self.found)] = torch.from_numpy(self.matrix[self.found])


class NetworkPerClass(nn.Module):
    """A network for each class; rows of a batch go to that of their class.

    Args:
        networks: One for each class, in the order of the class ids.
    """

    def __init__(self, networks: Iterable[LanguageNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, batch: Batch, state: State = None) -> tuple[Tensor, int, State]:
        """The sum of the losses in nats, the number of targets, and no state."""
        found = [net(part) for _, net, part in self._parts(batch)]
        loss = torch.stack([part[0] for part in found]).sum()
        return loss, sum(part[1] for part in found), None

    def losses(
        self, batch: Batch, state: State = None
    ) -> tuple[Float[Tensor, "time batch"], State]:
        """-log P of each target, 0 where there is none, and no state."""
        losses = torch.zeros(batch.targets.shape, device=batch.targets.device)
        for rows, network, part in self._parts(batch):
            losses[:, rows] = network.losses(part)[0].float()
        return losses, None

    def _parts(self, batch: Batch) -> Iterator[tuple[Tensor, LanguageNetwork, Batch]]:
        """The rows of each class in a batch of lines, and the network they go to."""
        assert batch.condition is not None
        assert batch.lengths is not None
        for c in batch.condition.unique().tolist():
            rows = (batch.condition == c).nonzero().squeeze(1)
            part = Batch(
                batch.inputs[:, rows], batch.targets[:, rows], batch.lengths[rows]
            )
            network = self.networks[c]
            assert isinstance(network, LanguageNetwork)
            yield rows, network, part

    def constrain(self) -> None:
        """Hold the recurrent matrices under their spectral bound, if they have one."""
        for network in self.networks:
            assert isinstance(network, LanguageNetwork)
            network.constrain()


Network: TypeAlias = LanguageNetwork | NetworkPerClass


def load_weights(network: nn.Module, run: RunFolder) -> None:
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


def stepper(network: Network, condition: int | None = None) -> Stepper:
    """The network as a decoder sees it.

    Args:
        network: A network in evaluation mode.
        condition: The class of the text, or ``None``.
    """
    if isinstance(network, NetworkPerClass):
        chosen = network.networks[condition or 0]
        assert isinstance(chosen, LanguageNetwork)
        network, condition = chosen, None
    return NetworkStepper(network, condition)
