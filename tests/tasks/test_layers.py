from __future__ import annotations

import pytest

from recurro.errors import ConfigError
from recurro.tasks.layers import from_assignments, from_environment, from_file, merge


def test_the_last_layer_wins_and_branches_join():
    merged = merge(
        {"train": {"epochs": 1, "seed": 1}, "model": {"hidden_size": 8}},
        {"train": {"epochs": 2}},
        {"train": {"epochs": 3}, "data": {"lines": True}},
    )
    assert merged == {
        "train": {"epochs": 3, "seed": 1},
        "model": {"hidden_size": 8},
        "data": {"lines": True},
    }


def test_layers_are_left_as_they_were():
    below = {"train": {"epochs": 1}}
    merge(below, {"train": {"epochs": 2}})["train"]["seed"] = 5
    assert below == {"train": {"epochs": 1}}


def test_another_name_replaces_its_branch():
    below = {"model": {"cell": {"name": "LSTM", "proj_size": 3}}}
    other = {"model": {"cell": {"name": "GRU"}}}
    assert merge(below, other) == other
    rate = {"model": {"cell": {"leak_rate": 0.5}}}
    leaky = {"model": {"cell": {"name": "Leaky"}}}
    assert merge(below, rate, leaky) == {
        "model": {"cell": {"leak_rate": 0.5, "name": "Leaky"}}
    }
    same = {"model": {"cell": {"proj_size": 4}}}
    assert merge(below, same)["model"]["cell"] == {"name": "LSTM", "proj_size": 4}


def test_assignments_are_read_as_yaml():
    layer = from_assignments(
        ["train.epochs=3", "model.cell.leak_rate=0.5", "data.alphabet=null"]
    )
    assert layer == {
        "train": {"epochs": 3},
        "model": {"cell": {"leak_rate": 0.5}},
        "data": {"alphabet": None},
    }


@pytest.mark.parametrize("word", ["epochs", "=3", "train.=3", ".epochs=3"])
def test_an_assignment_without_key_is_refused(word: str):
    with pytest.raises(ConfigError, match=r"--set: must be section\.key=value"):
        from_assignments([word])


def test_an_assignment_that_is_no_yaml_is_refused():
    with pytest.raises(ConfigError, match="must be a plain value"):
        from_assignments(["data.alphabet=[a"])


def test_environment_gives_settings_of_known_sections_only():
    environment = {
        "RECURRO_TRAIN_LEARNING_RATE": "0.1",
        "RECURRO_DATA": "/elsewhere",
        "RECURRO_CACHE_DIR": "/cache",
        "PATH": "/bin",
    }
    layer = from_environment(environment, ["data", "train"])
    assert layer == {"train": {"learning_rate": 0.1}}


def test_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("train:\n  epochs: 3\n")
    assert from_file(file) == {"train": {"epochs": 3}}
    file.write_text("")
    assert from_file(file) == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a: [", "must be YAML"),
        (b"\xff\xfe", "must be YAML"),
        (b"- a", "must hold sections such as 'train:', got list"),
        (b"!!python/object/apply:os.system ['true']", "must be YAML"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content, complaint):
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=complaint):
        from_file(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="must exist, got none"):
        from_file(tmp_path / "none.yaml")
