"""What is looked at in a trained model: a batch it reads, and how it began."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import torch
from torch import nn

from recurro.errors import ArgumentError, DataError, RunError
from recurro.tasks.by_class import ClassLanguageModel
from recurro.tasks.corpora import open_corpora, open_labelled
from recurro.tasks.estimator import NetworkEstimator
from recurro.tasks.language_model import LanguageModel
from recurro.tasks.language_task import LanguageTask, Part
from recurro.tasks.runs import checked_state
from recurro.tasks.sequence import SequenceEstimator
from recurro.tasks.vector_task import VectorTask
from recurro.train import RunFolder
from recurro.types import Batch, Shard, Task

__all__ = ["TrainedModel", "example_batch", "untrained_network"]

TrainedModel: TypeAlias = NetworkEstimator | LanguageModel | ClassLanguageModel
"""A model that a network learns."""


def example_batch(
    model: TrainedModel,
    data: Any = None,  # noqa: ANN401 (of the task)
    *,
    rows: int = 16,
    steps: int = 200,
) -> Batch:
    """A batch as the network of a model reads it in training.

    Args:
        model: A fitted model.
        data: What is read: a text for a language model, ``(X, y)`` for a model of
            sequences, a ``Batch``; what the run learnt from if not given.
        rows: Sequences, at most.
        steps: Of a running text, the steps of each, at most.

    Raises:
        ArgumentError: If data are needed, or this kind of model takes none.
        DataError: If they cannot be used, or hold no batch.
        RunError: If the run no longer holds what it learnt from.
    """
    if isinstance(data, Batch):
        return data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a short text has fewer rows
        task = _task(model, data, rows, steps)
        batch = next(iter(task.batches(0, Shard())), None)
    if batch is None:
        raise DataError(
            f"{type(model).__name__}: the data must fill a batch, got too few of them. "
            "Name other data."
        )
    return batch


def _task(
    model: TrainedModel,
    data: Any,  # noqa: ANN401
    rows: int,
    steps: int,
) -> Task:
    """The task of training, on small batches."""
    network: Any = model._fitted()
    settings: Any = model.settings
    if isinstance(model, NetworkEstimator):
        training = settings.train.model_copy(update={"batch_size": rows})
        settings = settings.model_copy(update={"train": training})
        if data is None:
            material = model._load_material(_run(model))
            return model._task(network, model.reader_, settings, material)
        if not isinstance(model, SequenceEstimator):
            raise ArgumentError(
                f"inspect: a run of {model.task} is looked at by what it was trained "
                "on, got other data. Leave them out."
            )
        answered = model._answered(*(data if len(data) > 1 else (*data, *data)))
        cut: Any = model._batches
        return VectorTask(network, answered, None, settings.train, _no_judge, cut=cut)
    chunk = {"batch_size": rows, "k1": steps, "k2": steps, "random_bptt": False}
    training = settings.train.model_copy(update=chunk)
    if isinstance(model, ClassLanguageModel):
        if data is not None:
            raise ArgumentError(
                "inspect: a run by class is looked at by what it was trained on, got "
                "other data. Leave them out."
            )
        parts = open_labelled(checked_state(_run(model)), model.tokenizer_)
        return LanguageTask(network, *parts, training)
    if data is None:
        corpora = open_corpora(checked_state(_run(model)), model.tokenizer_)
        part = Part(corpora.train, settings.data.lines)
    else:
        part = model._part(data)
    return LanguageTask(network, part, part, training)


def _no_judge(network: object, data: object) -> dict[str, float]:
    """Nothing is chosen where nothing is learnt."""
    return {}


def _run(model: TrainedModel) -> RunFolder:
    """The run of a model, which holds what it learnt from."""
    run = getattr(model, "run_", None)
    if run is None:
        raise ArgumentError(
            f"inspect: data must be given for a {type(model).__name__} that was not "
            "read from a run. Pass them, or load the run."
        )
    return run


def untrained_network(model: TrainedModel) -> nn.Module:
    """The network as it was before training, made again from settings and seed.

    Args:
        model: A fitted model.

    Example:
        >>> words = ["aba", "bab", "abab", "baba"] * 40
        >>> model = LanguageModel(lines=True, hidden_size=4, epochs=1).fit(words)
        >>> type(untrained_network(model)).__name__
        'LanguageNetwork'
    """
    model._fitted()
    device = torch.device("cpu")
    if not isinstance(model, NetworkEstimator):
        return model._network(model.settings, model.tokenizer_).to(device).eval()
    network: Any = model._network(model.settings, model.reader_)
    if getattr(model, "run_", None) is not None:
        try:
            material = model._load_material(_run(model))
        except (RunError, DataError):  # the weights of the recurrence need none
            return network.eval()
        model._start(network, model.reader_, material)
    return network.eval()
