from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from recurro.cli.settings import Given
from recurro.cli.words import WORDS
from recurro.errors import ConfigError
from recurro.tasks import LanguageModel
from recurro.tasks.config import SECTIONS, LanguageSettings, build_cell
from recurro.tasks.presets import PRESETS
from tests.cli.command import complaint, recurro

QUICK = ("--hidden-size", 8, "--num-layers", 1, "--epochs", 1, "--batch-size", 8)


def config_of(run: Path | str) -> dict:
    return yaml.safe_load((Path(run) / "config.yaml").read_text())


# What a run is made of.


def test_a_file_becomes_a_run(folder):
    outcome = recurro("train", "lm", "sea.txt", *QUICK)
    lines = outcome.out.splitlines()
    names = [line.split("  ")[0] for line in lines[2:7]]
    assert names == [
        "uniform",
        "unigram",
        "6-gram, Kneser-Ney",
        "network + 6-gram",
        "network",
    ]
    assert "run     runs/sea-1" in lines
    assert "report  runs/sea-1/report.html" in lines
    assert "step" in outcome.err
    assert (folder / "runs/sea-1/report.html").read_text().startswith("<!")
    model = LanguageModel.load("runs/sea-1")
    assert model.settings.data.files == ()  # on record in the file alone
    assert config_of("runs/sea-1")["data"]["files"] == ["sea.txt"]


def test_runs_are_numbered(folder):
    for number in (1, 2):
        recurro("train", "lm", "sea.txt", *QUICK, "--max-seconds", 0.01, "-q")
        assert (folder / f"runs/sea-{number}/model.safetensors").exists()
    assert {path.name for path in (folder / "runs").iterdir()} == {"sea-1", "sea-2"}


def test_json_is_for_programs(folder):
    outcome = recurro("train", "lm", "sea.txt", *QUICK, "--json", "-q", "-o", "here")
    found = json.loads(outcome.out)
    assert found["run"] == "here"
    assert found["epochs"] == 1
    assert found["perplexity"] == found["baselines"][-1]["perplexity"]
    assert outcome.err == ""


def test_another_run_is_not_written_over(folder):
    recurro("train", "lm", "sea.txt", *QUICK, "-o", "here", "-q")
    before = (folder / "here/model.safetensors").read_bytes()
    line = complaint("train", "lm", "sea.txt", *QUICK, "-o", "here", "--seed", 3)
    assert line.startswith("here: must be new or empty, got the folder of another run.")
    assert (folder / "here/model.safetensors").read_bytes() == before
    recurro(
        *("train", "lm", "sea.txt", *QUICK, "-o", "here", "--seed", 3),
        *("--overwrite", "-q"),
    )
    assert (folder / "here/model.safetensors").read_bytes() != before
    (folder / "notes").mkdir()
    (folder / "notes/a.txt").write_text("mine")
    line = complaint("train", "lm", "sea.txt", *QUICK, "-o", "notes", "--overwrite")
    assert "must be new or empty" in line
    assert (folder / "notes/a.txt").read_text() == "mine"


def test_the_settings_of_a_run_make_an_equal_one(folder):
    recurro(
        *("train", "lm", "sea.txt", *QUICK, "--cell", "leaky", "--clip", "auto"),
        *("--set", "model.cell.leak_rate=0.5", "-o", "first", "-q"),
    )
    recurro("train", "lm", "--config", "first/config.yaml", "-o", "second", "-q")
    assert config_of("first") == config_of("second")
    files = [folder / run / "model.safetensors" for run in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert config_of("first")["model"]["cell"] == {
        "name": "Leaky",
        "leak_rate": 0.5,
        "activation": "tanh",
    }


def test_items_on_lines(folder):
    (folder / "names.txt").write_text("anna\nbob\ncarla\ndan\n" * 30)
    recurro("train", "lm", "names.txt", "--lines", *QUICK, "-o", "here", "-q")
    assert config_of("here")["data"]["lines"] is True
    assert config_of("here")["model"]["cell"]["name"] == "GRU"  # the preset of names
    samples = json.loads((folder / "here/samples.json").read_text())
    assert samples[0]["text"].count("\n") >= 5
    rows = json.loads((folder / "here/baselines.json").read_text())
    assert {"uniqueness", "novelty"} <= rows[-1].keys()
    found = json.loads(
        recurro("evaluate", "here", "names.txt", "--samples", 20, "--json").out
    )
    assert list(found)[3:] == ["uniqueness", "novelty"]
    usual = recurro("evaluate", "here", "names.txt", "--samples", 0, "--json").out
    assert list(json.loads(usual)) == list(found)[:3]
    said = recurro("generate", "here", "--number", 4, "-n", 3, "--min-length", 3)
    assert [len(line) for line in said.out.splitlines()] == [3] * 4
    assert "4 of 4 texts did not end within --length 3, and was cut there" in said.err
    assert "4 texts: uniqueness " in said.err
    assert "--min-length: must be at most --length 3, got 4" in complaint(
        *("generate", "here", "-n", 3, "--min-length", 4)
    )


def test_by_class(folder):
    rows = "".join(
        f"ab\t{'ab' * (i % 4 + 1)}\nxy\t{'xy' * (i % 4 + 1)}\n" for i in range(40)
    )
    (folder / "rows.tsv").write_text("label\ttext\n" + rows)
    outcome = recurro("train", "lm", "--by-class", "rows.tsv", *QUICK, "-o", "here")
    assert "largest class" in outcome.out
    assert "accuracy" in outcome.out
    assert "recurro predict here FILE" in outcome.out
    assert config_of("here")["task"] == "by-class"
    recurro(
        *("train", "lm", "--by-class", "rows.tsv", *QUICK, "--separate", "-q"),
        *("-o", "apart"),
    )
    assert config_of("apart")["separate"] is True


def test_a_validation_file(folder):
    (folder / "valid.txt").write_text("we row and sing\n" * 20)
    recurro("train", "lm", "sea.txt", "--valid", "valid.txt", *QUICK, "-o", "a", "-q")
    assert config_of("a")["data"]["valid"] == ["valid.txt"]
    rows = json.loads((folder / "a/baselines.json").read_text())
    expected = LanguageModel.load("a").evaluate(Path("valid.txt"))["perplexity"]
    assert rows[-1]["perplexity"] == pytest.approx(expected, rel=1e-5)


def test_short_texts_shrink_the_batch_with_a_line(folder):
    (folder / "hello.txt").write_text("hello")
    outcome = recurro("train", "lm", "hello.txt", *QUICK, "-q", "-o", "a")
    assert outcome.err.splitlines() == [
        "recurro: note: The text is too short to hold a part of it out: choices are "
        "made on the text that is trained on.",
        "recurro: note: The text has only 5 tokens: batch size 8 -> 1, chunk length "
        "100 -> 4.",
    ]


# Where settings come from.


def test_precedence(folder, monkeypatch):
    file = folder / "my.yaml"
    file.write_text("train: {epochs: 2, seed: 2, batch_size: 2, log_every: 2}")
    monkeypatch.setenv("RECURRO_TRAIN_SEED", "3")
    monkeypatch.setenv("RECURRO_TRAIN_BATCH_SIZE", "3")
    monkeypatch.setenv("RECURRO_TRAIN_LOG_EVERY", "3")
    found = Given(
        {"log_every": 5},
        preset="char-small",
        file=file,
        assignments=["train.batch_size=4", "train.log_every=4"],
    )
    found = found.settings().train
    preset = PRESETS["char-small"]["train"]
    assert found.learning_rate == preset["learning_rate"]
    assert found.epochs == 2 != preset["epochs"]
    assert found.seed == 3
    assert found.batch_size == 4
    assert found.log_every == 5


def test_flags_are_settings(folder):
    recurro(
        *("train", "lm", "sea.txt", "-q", "-o", "a", "--max-seconds", 0.01),
        *("--tokens", "word", "--lower", "--min-count", 2, "--cell", "min-gru"),
        *("--hidden-size", 12, "--embedding-size", 12, "--tied", "--dropout", 0.25),
        *("--batch-size", 4, "--tbptt", "5,10", "--optimizer", "sgd", "--clip", "none"),
        *("--learning-rate", 0.5, "--schedule", "plateau", "--patience", 3),
        *("--seed", 7, "--set", "train.momentum=0.5", "--set", "train.nesterov=true"),
    )
    config = config_of("a")
    expected = {
        "data": {"tokens": "word", "lower": True, "min_count": 2},
        "model": {
            "cell": {"name": "MinGRU"},
            "hidden_size": 12,
            "tied": True,
            "dropout": 0.25,
        },
        "train": {
            "bptt": [5, 10],
            "optimizer": "sgd",
            "clip": None,
            "schedule": "plateau",
            "patience": 3,
            "seed": 7,
            "momentum": 0.5,
            "nesterov": True,
        },
    }
    for section, values in expected.items():
        assert {key: config[section][key] for key in values} == values


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_settings(name):
    LanguageSettings(**PRESETS[name])
    assert name in recurro("train", "lm", "--help").out


def test_a_preset_suits_the_symbols():
    usual = Given({}).settings().model
    assert usual.hidden_size == PRESETS["char"]["model"]["hidden_size"]
    assert Given({"tokens": "word"}).settings().data.min_count == 2
    assert Given({"lines": True}).settings().model.cell["name"] == "GRU"
    names, molecules = PRESETS["names"]["train"], PRESETS["molecules"]["train"]
    for file, expected in (("a.txt", names), ("a.smi", molecules)):
        found = Given({"lines": True, "files": [file]}).settings().train
        assert found.batch_size == expected["batch_size"]
    assert "--syntax: must be left out but for lines" in complaint(
        *("train", "lm", "a.txt", "--syntax", "smiles")
    )
    with pytest.raises(ConfigError, match="--syntax: "):
        Given({"lines": True, "syntax": "latin"}).settings()


def test_every_word_is_a_cell():
    for word, kind in WORDS.items():
        found = Given({"cell": word}).settings().model.cell
        assert isinstance(build_cell(found), kind)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--cell", "lsmt"], "--cell: must be one of elman, memoryless,"),
        (["--cell", "lsmt"], "got 'lsmt'. Did you mean 'lstm'?"),
        (["--preset", "chars"], "got 'chars'. Did you mean 'char'?"),
        (
            ["--set", "train.epohcs=3"],
            "--set train.epohcs: is no key. Did you mean 'epochs'?",
        ),
        (
            ["--set", "trian.epochs=3"],
            "--set trian: is no key. Did you mean 'train'?",
        ),
        (
            ["--set", "epochs=3"],
            "--set epochs: is no key. Did you mean 'train.epochs'?",
        ),
        (["--set", "train.log_every=0"], "--set train.log_every: must be at least 1"),
        (["--set", "train=3"], "--set train: must be a section of settings, got 3"),
        (["--set", "model.cell.x=3"], "LSTM has the settings proj_size, got 'x'."),
        (["--hidden-size", "0"], "--hidden-size: must be at least 1, got 0."),
        (
            ["--tied", "--embedding-size", "7"],
            "--tied: must come with an embedding as wide as the last layer, got widths "
            "of 7 and 8. Set --embedding-size 8.",
        ),
        (
            ["--set", "model.adaptive_cutoffs=[3]"],
            "--set model.adaptive_cutoffs: must be left out but for words",
        ),
        (["--bptt", "0"], "--bptt: must be a number of steps"),
        (["--set", "train.epochs"], "must be section.key=value, got 'train.epochs'."),
        (["--config", "none.yaml"], "none.yaml: a settings file must exist"),
        (["--bptt", "5", "--tbptt", "5,5"], "Give one."),
        (["--tbptt", "5"], "--tbptt: must be two numbers of steps, K1,K2, of which"),
        (["--tbptt", "5,7"], "of which one divides the other, got '5,7'."),
        (["--tbptt", "a,b"], "--tbptt: must be two numbers"),
        (["--clip", "x"], "--clip: must be a number above 0, auto or none, got 'x'."),
        (["--dropout", "1"], "--dropout: must be below 1, got 1.0."),
        (["--optimizer", "adm"], "--optimizer: must be 'sgd', 'adam'"),
        (["--tokens", "letter"], "--tokens: must be char, byte, word, or bpe:N"),
        (["--tokens", "bpe:9"], "bpe:N with N of at least 257"),
        (["--encoding", "utf-9"], "--encoding: must be a text encoding that Python"),
        (["--device", "tpu"], "--device: must be auto, cpu, cuda, or cuda:N"),
        (
            ["--device", "cuda:99"],
            "--device: must be on this machine, got 'cuda:99', with",
        ),
        (["--learning-rate", "-1"], "--learning-rate: must be above 0, got -1.0."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_settings_get_one_line(words, expected, folder):
    assert expected in complaint("train", "lm", "sea.txt", *QUICK, *words)
    assert [path.name for path in folder.rglob("*")] == ["sea.txt"]


def test_wrong_variables_get_one_line(folder, monkeypatch):
    monkeypatch.setenv("RECURRO_TRAIN_EPOHCS", "3")
    line = complaint("train", "lm", "sea.txt")
    assert line == "RECURRO_TRAIN_EPOHCS: is no key. Did you mean 'epochs'?"
    monkeypatch.delenv("RECURRO_TRAIN_EPOHCS")
    monkeypatch.setenv("RECURRO_TRAIN_EPOCHS", "many")
    line = complaint("train", "lm", "sea.txt")
    assert line == "RECURRO_TRAIN_EPOCHS: must be a whole number, got 'many'."
    monkeypatch.delenv("RECURRO_TRAIN_EPOCHS")
    for name in ("RECURRO_TRIAN_EPOCHS", "RECURRO_EPOCHS"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "3")
            line = complaint("train", "lm", "sea.txt")
            assert line == f"{name}: is no setting. Did you mean RECURRO_TRAIN_EPOCHS?"


def test_variables_that_are_no_settings_are_left_alone(monkeypatch):
    for name in ("RECURRO_DATA", "RECURRO_COMPILE", "RECURRO_CACHE"):
        monkeypatch.setenv(name, "here")
    assert Given({}).settings() == Given({}, preset="char").settings()


def test_wrong_settings_of_a_file_name_it(folder):
    (folder / "my.yaml").write_text("train: {epochs: 0}")
    line = complaint("train", "lm", "sea.txt", "--config", "my.yaml")
    assert line == "my.yaml: 'train.epochs': must be at least 1, got 0."
    line = complaint("train", "lm", "sea.txt", "--config", "my.yaml", "--epochs", -1)
    assert line == "--epochs: must be at least 1, got -1."


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--held-out", "2"], "--held-out: must be below 1, got 2.0."),
        (["--tokens", "foo"], "--tokens: must be char, byte, word, or bpe:N"),
        (["--tokens", "byte", "--min-count", "2"], "--min-count: must be left out"),
        (["--lines", "--held-out", "0.1"], "--held-out: must be left out with lines"),
    ],
    ids=" ".join,
)
def test_wrong_settings_of_ngrams_get_one_line(words, expected, folder):
    assert complaint("train", "ngram", "sea.txt", *words).startswith(expected)


def test_a_text_must_be_named(folder):
    assert "must be named by FILE or by --by-class PATH, got none" in complaint(
        "train", "lm"
    )
    both = complaint("train", "lm", "sea.txt", "--by-class", "sea.txt")
    assert "got both. Give one of them." in both


def test_an_unknown_flag_of_ours_is_a_mistake():
    with pytest.raises(KeyError):
        Given({"no_such_setting": 1}).settings()
    assert "train" in SECTIONS
    with pytest.raises(ConfigError, match=r"^--epochs: must be at least 1, got 0"):
        Given({"epochs": 0}).settings()
