from __future__ import annotations

import pytest

from recurro.errors import ConfigError, SettingError
from recurro.train import Settings, TrainSettings


def test_the_nearest_key_is_named():
    with pytest.raises(ConfigError, match=r"'lerning_rate' is no key. Did you mean '"):
        TrainSettings(lerning_rate=0.1)


def test_without_a_near_key_all_are_listed():
    with pytest.raises(
        ConfigError, match=r"'zzz' is no key. Known: accumulate, average, betas"
    ):
        TrainSettings(zzz=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "'epochs' must be at least 1, got 0"),
        ({"learning_rate": "fast"}, "'learning_rate' must be a number, got 'fast'"),
        ({"learning_rate": float("nan")}, "'learning_rate'"),
        ({"optimizer": "lbfgs"}, "'optimizer' must be 'sgd', 'adam'"),
        ({"clip": 0}, "'clip' must be a number above 0, auto or none, got 0"),
        ({"clip": True}, "'clip' must be"),
        ({"clip": float("inf")}, "'clip' must be"),
        ({"momentum": 0.9, "optimizer": "adam"}, "'momentum' must be 0 for adam"),
        ({"nesterov": True, "optimizer": "sgd"}, "'nesterov' must come with sgd"),
        ({"weight_decay": 0.1, "optimizer": "rprop"}, "'weight_decay' must be 0"),
        ({"betas": (0.9, 1.0)}, r"'betas' must lie in \[0, 1\)"),
        ({"k1": 10, "k2": 15}, "'k2' must be a multiple or a divisor of k1"),
        ({"device": "tpu"}, "'device' must be auto, cpu, cuda, or cuda:N"),
        ({"device": "cuda:"}, "'device' must be"),
        ({"optimizer": "adm"}, "got 'adm'. Did you mean 'adam'?"),
        ({"nesterov": "si"}, "'nesterov' must be true or false, got 'si'"),
        ({"epochs": 1.5}, "'epochs' must be a whole number, got 1.5"),
        ({"learning_rate": 0}, "'learning_rate' must be above 0, got 0"),
        ({"momentum": 1}, "'momentum' must be below 1, got 1"),
        ({"precision": "16"}, "'precision' must be '32' or 'bf16', got '16'.$"),
        ({"seed": -1}, "'seed'"),
    ],
)
def test_what_is_out_of_range_is_refused_in_one_line(values, message):
    with pytest.raises(ConfigError, match=message) as caught:
        TrainSettings(**values)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("TrainSettings: ")


def test_text_from_a_command_line_or_yaml_is_read():
    settings = TrainSettings(clip="0.25", learning_rate="1e-3", epochs="3")
    assert (settings.clip, settings.learning_rate, settings.epochs) == (0.25, 1e-3, 3)
    assert TrainSettings(clip="auto").clip == "auto"
    assert TrainSettings(clip=None).clip is TrainSettings(clip="none").clip is None


def test_they_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        TrainSettings().epochs = 3


def test_they_survive_a_round_trip_as_plain_values():
    settings = TrainSettings(clip="auto", max_steps=7, betas=(0.8, 0.9))
    assert TrainSettings(**settings.model_dump(mode="json")) == settings


def test_a_fault_inside_a_nested_part_names_that_part():
    class Whole(Settings):
        train: TrainSettings = TrainSettings()

    assert Whole(train={"epochs": 3}).train.epochs == 3
    with pytest.raises(ConfigError, match=r"^TrainSettings: 'epoch' is no key\. Did"):
        Whole(train={"epoch": 3})
    with pytest.raises(ConfigError, match=r"^TrainSettings: 'k2' must be a multiple"):
        Whole(train={"k1": 3})
    with pytest.raises(ConfigError, match=r"^Whole: 'trian' is no key\. Did you mean"):
        Whole(trian={})
    for key in ("epochs", "epohcs"):
        with pytest.raises(ConfigError, match=r"Did you mean 'train\.epochs'\?"):
            Whole(**{key: 3})
    with pytest.raises(ConfigError, match=r"^Whole: 'train' must be a section"):
        Whole(train=3)


def test_an_error_knows_the_setting():
    with pytest.raises(SettingError) as caught:
        TrainSettings(epochs=0)
    error = caught.value
    assert (error.owner, error.key) == ("TrainSettings", "epochs")
    assert error.fault == "must be at least 1, got 0."
