"""Presets: settings that suit a kind of text and the time a person has."""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS", "TASK_PRESETS"]

PRESETS: dict[str, dict[str, Any]] = {
    "char-small": {
        "model": {"hidden_size": 128, "num_layers": 2},
        "train": {
            "batch_size": 32,
            "bptt": 100,
            "epochs": 12,
            "learning_rate": 0.005,
            "schedule": "cosine",
        },
    },
    "char": {
        "model": {"hidden_size": 256, "num_layers": 2, "dropout": 0.1},
        "train": {
            "batch_size": 32,
            "bptt": 100,
            "epochs": 12,
            "learning_rate": 0.004,
            "schedule": "cosine",
        },
    },
    "char-large": {
        "model": {"hidden_size": 512, "num_layers": 2, "dropout": 0.3},
        "train": {
            "batch_size": 64,
            "bptt": 100,
            "epochs": 20,
            "learning_rate": 0.002,
            "schedule": "cosine",
        },
    },
    "word": {
        "data": {"tokens": "word", "min_count": 2},
        "model": {"hidden_size": 256, "tied": True, "dropout": 0.4},
        "train": {
            "batch_size": 32,
            "bptt": 35,
            "epochs": 15,
            "learning_rate": 0.002,
            "schedule": "cosine",
        },
    },
    "names": {
        "data": {"lines": True},
        "model": {"cell": {"name": "GRU"}, "hidden_size": 256, "dropout": 0.2},
        "train": {
            "batch_size": 64,
            "epochs": 12,
            "learning_rate": 0.003,
            "schedule": "cosine",
        },
    },
    "molecules": {
        "data": {"lines": True},
        "model": {"cell": {"name": "GRU"}, "hidden_size": 256},
        "train": {
            "batch_size": 128,
            "epochs": 8,
            "learning_rate": 0.004,
            "schedule": "cosine",
        },
    },
}
"""Settings by name, each a layer like a settings file."""

_ONE_WAY = {"attention": "none", "bidirectional": False}

TASK_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "translate": {
        "sutskever": {
            "data": {"reverse": True},
            "model": {
                **_ONE_WAY,
                "cell": {"name": "LSTM"},
                "num_layers": 4,
                "first_state": "copy",
            },
        },
        "cho": {"model": {**_ONE_WAY, "each_step": True}},
        "bahdanau": {"model": {"attention": "bahdanau"}},
        "luong": {"model": {"attention": "general"}},
        "google": {
            "model": {
                "cell": {"name": "LSTM"},
                "num_layers": 8,
                "residual": True,
                "attention": "bahdanau",
                "length_power": 0.2,
                "length_offset": 5.0,
                "coverage": 0.2,
            },
        },
        "small": {
            "data": {"tokens": "bpe:4000"},
            "model": {
                "hidden_size": 320,
                "encoder_size": 192,
                "embedding_size": 192,
                "dropout": 0.2,
            },
            "train": {"learning_rate": 0.002, "warmup_steps": 100, "epochs": 10},
        },
    },
}
"""The same of tasks that are not language models, by task."""
