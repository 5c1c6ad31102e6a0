from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from recurro import GRU, NGramLanguageModel, SpeechRecognizer
from recurro.data import (
    Sequences,
    Sound,
    Variation,
    draw_joins,
    load_samples,
    write_wav,
)
from recurro.errors import ArgumentError, ConfigError, DataError, RunError
from recurro.tasks.sequence_runs import Examples
from recurro.tasks.speech_config import SpeechData
from recurro.tasks.speech_reader import SpeechPasses, SpeechReader, join_targets
from recurro.types import Shard
from tests.datasets import dataset

SMALL = {
    "hidden_size": 16,
    "num_layers": 1,
    "dropout": 0.0,
    "learning_rate": 0.03,
    "batch_size": 4,
    "epochs": 18,
    "bands": 8,
    "mask_bands": 0,
    "mask_time": 0.0,
    "warmup_steps": 5,
    "backend": "vendor",
}
PITCH = {"l": 300, "m": 900, "h": 2600}


def tone(letter: str, draw: np.random.Generator, rate: int = 8000) -> np.ndarray:
    count = int(draw.uniform(0.12, 0.25) * rate)
    wave = np.sin(2 * np.pi * PITCH[letter] * np.arange(count) / rate)
    return 0.3 * wave * np.hanning(count) + draw.normal(0, 1e-3, count)


def singles(count: int = 45, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    draw, letters = np.random.default_rng(seed), list(PITCH)
    texts = [letters[i % 3] for i in range(count)]
    return [tone(text, draw) for text in texts], texts


def strings(count: int = 30, seed: int = 1) -> tuple[list[np.ndarray], list[str]]:
    draw, letters = np.random.default_rng(seed), list(PITCH)
    texts = [
        "".join(draw.choice(letters, int(draw.integers(2, 5)))) for _ in range(count)
    ]
    return [np.concatenate([tone(c, draw) for c in text]) for text in texts], texts


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> SpeechRecognizer:
    out = tmp_path_factory.mktemp("speech") / "run"
    return SpeechRecognizer(**SMALL, join=(2, 4), out=out).fit(*singles())


def test_strings_are_read_by_what_learnt_from_singles(trained) -> None:
    given, texts = strings()
    figures = trained.evaluate(given, texts)
    assert figures["token_error_rate"] < 0.1
    assert trained.score(given, texts) == 1 - figures["token_error_rate"]
    frequent, templates, network = trained.baselines_
    assert (frequent["name"], network["name"]) == ("most frequent text", "network")
    assert templates["name"] == "41 templates, joined"
    for row in (frequent, templates):
        assert row.keys() == {"name", "token_error_rate", "word_error_rate"}
    assert network["token_error_rate"] < frequent["token_error_rate"] - 0.5


def test_a_run_says_the_same_when_it_is_read_back(trained) -> None:
    given, texts = strings(6)
    again = SpeechRecognizer.load(trained.run_.path)
    assert again.predict(given) == trained.predict(given)
    assert again.baselines_ == trained.baselines_
    assert again.settings == trained.settings
    assert again.evaluate(given, texts) == trained.evaluate(given, texts)


def test_each_recording_is_read_for_itself(trained) -> None:
    given, _ = strings(6)
    assert [trained.predict([item])[0] for item in given] == trained.predict(given)


def test_a_beam_and_a_language_model_are_set_after_training(trained, tmp_path) -> None:
    given, texts = strings(8)
    found = clone(trained).set_params(beam_size=8)
    found.network_, found.reader_ = trained.network_, trained.reader_
    found.tokenizer_ = trained.tokenizer_
    better = found.evaluate(given, texts)["token_error_rate"]
    assert better <= trained.evaluate(given, texts)["token_error_rate"] + 0.1
    never = NGramLanguageModel(order=2, tokens="char", lines=True)
    never.fit(["lm", "ml", "hl"] * 30)
    found.set_params(language_model=never, language_weight=50.0)
    assert set("".join(found.predict(given))) <= set("lmh")
    assert not any(
        pair in text for text in found.predict(given) for pair in ("ll", "mm")
    )
    with pytest.raises(ArgumentError, match="length_bonus is for a beam search"):
        found.set_params(language_model=None, beam_size=None, length_bonus=1.0).predict(
            given
        )
    path = tmp_path / "a.wav"
    write_wav(path, Sound(given[0].astype(np.float32), 8000))
    assert trained.predict([path]) == trained.predict(given[:1])


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch) -> None:
    data, settings = singles(24), {**SMALL, "epochs": 3, "join": 2, "dropout": 0.2}
    whole = SpeechRecognizer(**settings, out=tmp_path / "whole").fit(*data)
    judge, calls = SpeechRecognizer._chosen_by, []

    def stopped(self, network, data) -> dict[str, float]:
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judge(self, network, data)

    monkeypatch.setattr(SpeechRecognizer, "_chosen_by", stopped)
    with pytest.raises(KeyboardInterrupt):
        SpeechRecognizer(**settings, out=tmp_path / "part").fit(*data)
    monkeypatch.undo()
    resumed = SpeechRecognizer.resume(tmp_path / "part")
    for name, tensor in whole.network_.state_dict().items():
        assert torch.equal(tensor, resumed.network_.state_dict()[name]), name
    assert resumed.baselines_ == whole.baselines_


def test_words_and_spaces(tmp_path) -> None:
    waves, letters = singles(30)
    names = {"l": "low", "m": "mid", "h": "high"}
    texts = [names[letter] for letter in letters]
    model = SpeechRecognizer(**SMALL, tokens="word", join=2, lower=True)
    model.fit(waves, [text.upper() for text in texts])
    assert "low" in model.tokenizer_.symbols
    both = np.concatenate([waves[0], waves[2]])
    assert model.predict([both]) == ["low high"]
    assert model.evaluate([both], ["LOW  high"])["word_error_rate"] == 0
    letters_of = SpeechRecognizer(**{**SMALL, "epochs": 1}, join=2).fit(waves, texts)
    assert " " in letters_of.tokenizer_.symbols  # between what is joined


def test_scikit_learn(tmp_path) -> None:
    data = singles(18)
    model = SpeechRecognizer(**{**SMALL, "epochs": 1})
    assert clone(model).get_params() == model.get_params()
    assert len(cross_val_score(model, *data, cv=2)) == 2
    search = GridSearchCV(model, {"cell": [GRU()], "stack": [2]}, cv=2).fit(*data)
    assert len(search.predict(data[0][:2])) == 2
    with pytest.raises(NotFittedError):
        model.predict(data[0])


def test_what_is_unknown_is_never_an_answer(trained) -> None:
    unknown = trained.tokenizer_.unk_id
    bias = trained.network_.head.linear.bias
    before = bias.detach().clone()
    with torch.no_grad():
        bias[unknown] += 100
    try:
        texts = trained.predict(strings(6)[0])
        assert set("".join(texts)) <= set("lmh")
    finally:
        bias.data = before


# What is learnt from, and what is not.


def test_nothing_leaks_from_what_is_held_out() -> None:
    waves, texts = singles(20)
    loud = [10 * wave for wave in waves]
    plain = {**SMALL, "epochs": 1, "held_out": 0.0}
    alone = SpeechRecognizer(**plain).fit(waves, texts)
    with pytest.warns(UserWarning, match=r"1 token was .* an error: 'x'"):
        beside = SpeechRecognizer(**{**SMALL, "epochs": 1}).fit(
            waves, texts, valid=(loud, ["x"] * 20)
        )
    assert beside.reader_.scaler == alone.reader_.scaler
    assert "x" not in beside.tokenizer_.symbols
    assert beside.baselines_[-1]["token_error_rate"] >= 1
    letters = list("abcdefghijklmnopqrst")
    with pytest.warns(UserWarning, match="2 tokens of the texts were not in training"):
        model = SpeechRecognizer(**{**SMALL, "epochs": 1}).fit(waves, letters)
    assert len(set(letters) - set(model.tokenizer_.symbols)) == 2


def passes(data: SpeechData, count: int = 40) -> SpeechPasses:
    model = SpeechRecognizer(held_out=0.0)
    waves, texts = singles(count)
    targets = model._learn_targets(texts)
    samples = load_samples(waves, 8000)[0]
    reader = SpeechReader.learn(samples, data)
    return SpeechPasses(reader, samples, targets, model.tokenizer_, 0)


def test_passes_differ_and_come_again() -> None:
    made = passes(SpeechData(join=(1, 3), bands=8))
    first, second, again = made(0), made(1), made(0)
    assert len(first) == len(second) == len(made) == 40
    assert not np.array_equal(first.targets.values, second.targets.values)
    np.testing.assert_array_equal(first.sequences.values, again.sequences.values)
    np.testing.assert_array_equal(first.targets.values, again.targets.values)


def test_without_variation_a_pass_is_the_data() -> None:
    still = {"speed": 0, "gain": 0, "noise": None, "mask_bands": 0, "mask_time": 0}
    made = passes(SpeechData(**still, bands=8))
    found, wanted = made(0), made.reader(made.items)
    ends = [(len(made.targets[i]), wanted[i].sum().round(2)) for i in range(40)]
    assert sorted(ends) == sorted(
        (len(ids), steps.sum().round(2))
        for ids, steps in zip(found.targets, found.sequences, strict=True)
    )


def test_padding_wastes_less_than_a_tenth(trained) -> None:
    waves, texts = singles(200)
    samples = load_samples(waves, 8000)[0]
    examples = Examples(samples, trained._targets(texts), 0)
    task = trained._task(trained.network_, trained.reader_, trained.settings, examples)
    batches = list(task.batches(0, Shard()))
    lengths = [batch.lengths for batch in batches]
    cells = sum(len(batch.inputs) * len(batch.lengths) for batch in batches)
    assert len(batches) == len(task.batches(0, Shard())) == 50
    assert 1 - sum(map(sum, lengths)) / cells < 0.1


def test_what_is_joined_has_one_end() -> None:
    texts = Sequences(np.array([5, 0, 7, 8, 0]), np.array([0, 2, 5]))
    nothing = np.zeros(0, np.int64)
    assert join_targets(texts, [1, 0, 1], nothing, 0).tolist() == [7, 8, 5, 7, 8, 0]


# What cannot be used.


def test_bad_recordings_and_texts_are_named(tmp_path) -> None:
    waves, texts = singles(12)
    for given, said, message in (
        (waves[:3], texts, "must be one target per sequence, got 12 for 3"),
        (waves, [*texts[:-1], " "], "recording 11 must have a text, got ' '"),
        (waves, [*texts[:-1], None], "recording 11 must have a text, got None"),
        (waves, None, "y must give the text of each recording, got None"),
        (waves, "text", "y must give the text of each recording, got 'text'"),
        ([*waves[:-1], np.zeros(0)], texts, "item 11 must be finite samples"),
        (
            [*waves[:-1], waves[-1][:400]],
            [*texts[:-1], "hhl"],
            "recording 11 must last 4 steps of 0.03 s for its text, got 2",
        ),
    ):
        with pytest.raises(DataError, match=re.escape(message)):
            SpeechRecognizer(**SMALL).fit(given, said)
    short = tmp_path / "short.wav"
    write_wav(short, Sound(waves[0][:400].astype(np.float32), 8000))
    with pytest.raises(DataError, match=r"'.*short.wav' must last 4 steps"):
        SpeechRecognizer(**SMALL).fit([short], ["hhl"])


def test_mixed_rates_are_said_and_resampled() -> None:
    draw = np.random.default_rng(0)
    waves: list[object] = [tone(letter, draw) for letter in "lh" * 6]
    waves[1] = Sound(tone("h", draw, 16000).astype(np.float32), 16000)
    model = SpeechRecognizer(**{**SMALL, "epochs": 1})
    with pytest.warns(UserWarning, match="1 of 12 recordings have more than 8000"):
        model.fit(waves, ["l", "h"] * 6)
    waves[1] = Sound(np.zeros(800, np.float32), 4000)
    with pytest.raises(DataError, match="item 1 must have at least 8000 samples per"):
        model.fit(waves, ["l", "h"] * 6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"join": 0}, "'join' must be a number from 1"),
        ({"join": (3, 2)}, "'join' must be a number from 1"),
        ({"bands": 200}, "'bands'"),
        ({"speed": 0.7}, "'speed' must be"),
        ({"noise": 70}, "'noise' must be"),
        ({"beam_size": 0}, "'beam_size' must be"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        SpeechRecognizer(**wrong).fit(*singles(6))


def test_a_damaged_run_is_named(trained, tmp_path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(trained.run_.path, run)
    (run / "scaler.json").unlink()
    with pytest.raises(RunError, match=r"scaler.json"):
        SpeechRecognizer.load(run)
    with pytest.raises(RunError, match="of task 'classify', got one of 'transcribe'"):
        from recurro import SequenceClassifier

        SequenceClassifier.load(trained.run_.path)


# Real speech.


def digits(numbers: tuple[int, ...], names: str) -> tuple[list[Path], list[str]]:
    files = [
        file
        for file in sorted(dataset("fsdd").glob("*.wav"))
        if int(file.stem.split("_")[2]) in numbers and file.stem[0] in names
    ]
    return files, [file.stem[0] for file in files]


def joined(files: list[Path], texts: list[str], count: int = 4):
    draw, join = np.random.default_rng(0), Variation(8000, gap=0.3)
    samples = load_samples(files, 8000)[0]
    rows = draw_joins(len(files), (count, count), draw)
    return (
        [join([samples[i] for i in row], draw) for row in rows],
        ["".join(texts[i] for i in row) for row in rows],
    )


def test_three_digits_are_learnt_in_seconds() -> None:
    settings = {**SMALL, "hidden_size": 32, "bands": 20, "stack": 4, "epochs": 13}
    model = SpeechRecognizer(**settings, join=(1, 3)).fit(*digits((5, 6, 7, 8), "169"))
    figures = model.evaluate(*joined(*digits((10,), "169")))
    assert figures["token_error_rate"] < 0.25  # the most frequent text: over 0.6


@pytest.mark.slow
def test_strings_of_four_digits() -> None:
    model = SpeechRecognizer(join=4, held_out=0.0)
    model.fit(*digits((5, 6, 7, 8, 9), "0123456789"))
    test = joined(*digits((10, 11), "0123456789"))
    assert model.evaluate(*test)["token_error_rate"] <= 0.06
