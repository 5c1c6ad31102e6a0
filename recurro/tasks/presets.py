"""Presets: settings that suit a kind of text and the time a person has."""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS"]

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
