from __future__ import annotations

import inspect
import json
from dataclasses import dataclass

import pytest
import yaml

from recurro import cells
from recurro.cells import Cell
from recurro.errors import ConfigError
from recurro.tasks import LanguageModel, NGramLanguageModel
from recurro.tasks.config import (
    SECTIONS,
    DataSettings,
    LanguageSettings,
    LanguageTraining,
    build_cell,
    cell_tree,
)

RECORD = {"files", "valid", "by_class", "k1", "k2"}
"""Settings that are no arguments: what was read, and two that ``bptt`` stands for."""

CELLS = [
    kind
    for name in cells.__all__
    if isinstance(kind := getattr(cells, name), type)
    and issubclass(kind, Cell)
    and not inspect.isabstract(kind)
]


def arguments_of(kind: type) -> dict[str, object]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name != "self"
    }


def test_each_setting_is_an_argument_with_the_same_default():
    expected = {
        name: field.get_default(call_default_factory=True)
        for kind in SECTIONS.values()
        for name, field in kind.model_fields.items()
        if name not in RECORD
    }
    given = arguments_of(LanguageModel)
    given["cell"] = cell_tree(given["cell"])
    del given["out"], given["overwrite"]
    assert given == expected


def test_the_arguments_of_ngrams_are_those_of_the_data():
    given = arguments_of(NGramLanguageModel)
    expected = {
        name: field.default
        for name, field in DataSettings.model_fields.items()
        if name not in RECORD
    }
    extra = {"order": 5, "out": None, "overwrite": False}
    assert given == {**expected, **extra, "tokens": "word"}


def test_a_setting_has_one_section():
    names = [name for kind in SECTIONS.values() for name in kind.model_fields]
    assert len(names) == len(set(names))


def test_each_setting_is_described():
    for kind in SECTIONS.values():
        text = " ".join(base.__doc__ or "" for base in kind.__mro__)
        for name in kind.model_fields:
            assert f" {name}:" in text or f"``{name}``" in text, name


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_settings_survive_a_file(form: str):
    settings = LanguageSettings(
        data={"tokens": "word", "files": ["a.txt"]},
        model={
            "cell": {"name": "Leaky", "leak_rate": 0.3, "activation": "tanh"},
            "adaptive_cutoffs": [9],
        },
        train={"bptt": [20, 60], "clip": "auto", "betas": [0.8, 0.9]},
    )
    if form == "yaml":
        tree = yaml.safe_load(yaml.safe_dump(settings.tree()))
    else:
        tree = json.loads(json.dumps(settings.tree()))
    assert LanguageSettings(**tree) == settings
    model = LanguageModel(**settings.arguments())
    assert model.settings.with_files(("a.txt",), ()) == settings


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        ({"trian": {}}, "'trian' is no key. Did you mean 'train'"),
        ({"train": {"epohcs": 1}}, "'epohcs' is no key. Did you mean 'epochs'"),
        ({"data": {"token": "char"}}, "'token' is no key. Did you mean 'tokens'"),
        ({"model": {"hidden_size": 0}}, "'hidden_size' must be at least 1, got 0"),
        ({"model": {"dropout": 1.0}}, "'dropout'"),
        ({"train": {"bptt": 0}}, "'bptt' must be a number of steps, or two"),
        ({"train": {"bptt": "a,b"}}, "'bptt' must be"),
        ({"train": {"bptt": [5, 7]}}, "one divides the other, got \\[5, 7\\]"),
        ({"train": {"bptt": [1, 2, 3]}}, "'bptt' must be a number of steps, or two"),
        ({"train": 3}, "'train' must be a section of settings, got 3"),
        ({"data": {"tokens": "bpe:256"}}, "'tokens' must be .* at least 257"),
        ({"data": {"tokens": "char:9"}}, "'tokens' must be"),
        ({"data": {"tokens": "byte", "min_count": 2}}, "'min_count' must be left out"),
        ({"data": {"tokens": "bpe:300", "unknown": "drop"}}, "'unknown' must be left"),
        ({"data": {"encoding": "utf-9"}}, "'encoding' must be a text encoding"),
        ({"train": {"k1": 3}}, r"bptt: \[k1, k2\]"),
        ({"data": {"lines": True, "held_out": 0.1}}, "'held_out' must be left out"),
    ],
)
def test_wrong_settings_are_refused(tree, complaint):
    with pytest.raises(ConfigError, match=complaint):
        LanguageSettings(**tree)


def test_bptt_stands_for_k1_and_k2():
    assert (LanguageTraining(bptt=7).k1, LanguageTraining(bptt=7).k2) == (7, 7)
    pair = LanguageTraining(bptt=(20, 60))
    assert (pair.k1, pair.k2) == (20, 60)


@pytest.mark.parametrize("kind", CELLS, ids=lambda kind: kind.__name__)
def test_every_cell_survives_a_file(kind):
    inner = (cells.GRU(),) if "inner" in inspect.signature(kind).parameters else ()
    cell = kind(*inner)
    tree = yaml.safe_load(yaml.safe_dump(cell_tree(cell)))
    again = build_cell(tree)
    assert type(again) is type(cell)
    assert again.config() == cell.config()


def test_hyperparameters_and_cells_within_cells_survive():
    cell = cells.Zoneout(cells.Leaky(leak_rate=0.25), p=0.5)
    again = build_cell(cell_tree(cell))
    assert cell_tree(again) == cell_tree(cell)
    assert again.inner.leak_rate == 0.25


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        ({"name": "Popen"}, "must be one of .*LSTM.*got 'Popen'"),
        ({"name": "init"}, "must be one of"),
        ({"name": "Cell"}, "must be one of"),
        ({}, "must be one of"),
        (
            {"name": "Leaky", "leak": 1},
            "has the settings activation, leak_rate, got 'leak'",
        ),
        ({"name": "Leaky", "leak_rate": 7}, r"leak_rate must be in \(0, 1\]"),
    ],
)
def test_cells_that_are_none_are_refused(tree, complaint):
    with pytest.raises(ConfigError, match=complaint):
        build_cell(tree)


@dataclass(frozen=True)
class Own(Cell):
    state = ("h",)
    rate: float = 0.5

    def step(self, x, h):
        return self.rate * h + self.affine("h", x)


def test_a_cell_of_ones_own_is_passed_as_an_object():
    tree = cell_tree(Own(rate=0.25))
    with pytest.raises(ConfigError, match="Pass a cell of your own"):
        build_cell(tree)
    assert build_cell(tree, Own(rate=0.25)) == Own(rate=0.25)
    with pytest.raises(ConfigError, match="must be the one that was trained"):
        build_cell(tree, Own(rate=0.5))
    with pytest.raises(ConfigError, match="must be the one that was trained"):
        build_cell(tree, cells.LSTM())
