"""Captions of features and pictures: learnt, kept, and where was looked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recurro import GRU, Captioner
from recurro.data import draw_scenes
from recurro.errors import ArgumentError, ConfigError, DataError, MissingExtraError
from recurro.tasks.caption_figures import caption_figures
from recurro.tasks.pictures import PictureReader
from tests.datasets import dataset

NOUNS = ("dog", "cat", "cow", "hen")
SMALL = {
    "hidden_size": 24,
    "embedding_size": 8,
    "place_size": 24,
    "epochs": 16,
    "batch_size": 16,
    "learning_rate": 0.02,
    "warmup_steps": 5,
    "beam_size": 2,
    "word_dropout": 0.0,
    "dropout": 0.0,
    "smoothing": 0.0,
    "attention_size": 32,
}
TINY = {**SMALL, "epochs": 2, "hidden_size": 8, "place_size": 4}

unfinished = pytest.mark.filterwarnings("ignore:.*texts had no end after")


def pairs(count, seed=0):
    """Features of two animals side by side, and two ways to say what is there."""
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, len(NOUNS), (count, 2))
    places = np.eye(len(NOUNS))[kinds] + draw.normal(0, 0.1, (count, 2, len(NOUNS)))
    said = [
        [f"{NOUNS[a]} before {NOUNS[b]}", f"{NOUNS[b]} behind {NOUNS[a]}"]
        for a, b in kinds
    ]
    return list(places[:, None]), said  # one row, two columns


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "animals"
    return Captioner(**SMALL, out=out).fit(*pairs(200))


def test_what_is_where_is_said(animals):
    rows = {row["name"]: row for row in animals.baselines_}
    assert list(rows) == ["most frequent caption", "nearest picture", "network"]
    assert set(rows["network"]) == {"name", "perplexity", "bleu", "exact_match"}
    assert rows["network"]["exact_match"] > rows["nearest picture"]["exact_match"] + 0.2
    usual = rows["most frequent caption"]["exact_match"]
    assert rows["network"]["exact_match"] > usual + 0.4
    X, y = pairs(100, seed=1)
    assert animals.score(X, y) > 0.8
    written, grades = animals.grade(X, y)
    assert written == animals.predict(X)
    right = [grade == "without errors" for grade in grades]
    assert right == [text in said for text, said in zip(written, y, strict=True)]


def test_where_it_looks_is_told_word_by_word(animals):
    """The words are those written, and the weights in the shape of the grid."""
    X, _ = pairs(3, seed=2)
    for caption, look in zip(animals.predict(X), animals.look(X), strict=True):
        assert " ".join(look.words) == caption
        assert look.weights.shape == (len(look.words), 1, 2)
        np.testing.assert_allclose(look.weights.sum((1, 2)), 1, rtol=1e-4)


def test_a_run_on_disk_is_the_same(animals):
    X, _ = pairs(20, seed=3)
    read = Captioner.load(animals.run_.path)
    assert read.predict(X) == animals.predict(X)
    assert read.baselines_ == animals.baselines_
    again = Captioner.resume(animals.run_.path)
    assert again.baselines_ == animals.baselines_
    assert again.predict(X) == animals.predict(X)


@pytest.mark.parametrize(
    "fed",
    [
        {"attention": "none"},
        {"attention": "none", "first_state": "zeros", "each_step": True},
        {"attention": "general", "cell": GRU()},
        {"attention": "dot", "place_size": 24},
    ],
)
@unfinished
def test_a_picture_enters_by_the_first_state_at_each_step_or_by_attention(fed):
    """The mean of places says who is there; only attention says on which side."""
    X, y = pairs(120)
    single = [text[0].split()[0] for text in y]  # the animal on the left
    alone = [item[0, :1].mean(0) for item in X]  # a vector
    model = Captioner(**{**SMALL, "epochs": 6, "beam_size": 1, **fed})
    model.fit(alone, single)
    assert model.score(alone, single) > 0.9
    if fed["attention"] == "none":
        with pytest.raises(ArgumentError, match="without"):
            model.look(alone)


def test_pictures_are_read_by_convolutions(tmp_path):
    """Which third of a picture is bright; the files are as good as the arrays."""
    image = pytest.importorskip("PIL.Image")
    draw = np.random.default_rng(0)
    places = draw.integers(0, 3, 90)
    pictures = draw.integers(0, 90, (90, 12, 12, 3), dtype=np.uint8)
    for picture, place in zip(pictures, places, strict=True):
        picture[:, 4 * place : 4 * place + 4] += 120
    y = [f"it is {('left', 'middle', 'right')[p]}" for p in places]
    model = Captioner(**{**SMALL, "epochs": 20}).fit(pictures[:60], y[:60])
    assert model.score(pictures[60:], y[60:]) > 0.9
    paths = []
    for number, picture in enumerate(pictures[60:63]):
        paths.append(tmp_path / f"{number}.png")
        image.fromarray(picture).save(paths[-1])
    assert model.predict(paths) == model.predict(pictures[60:63])
    (look,) = model.look(paths[:1])
    assert look.weights.shape[1:] == (6, 6)


@unfinished
@pytest.mark.slow
def test_real_captions_are_learnt_from_features_that_name_things():
    """Captions of photographs, from features made of the words of the captions."""
    file = dataset("flickr30k-captions/val_head400.jsonl")
    lines = file.read_text().splitlines()
    rows = [json.loads(line)["captions"] for line in lines]
    things = ["man", "woman", "dog", "boy", "girl", "people", "child", "street"]
    X = [
        np.array([[float(f" {t}" in f" {c.lower()}") for t in things] for c in said])
        for said in rows
    ]
    X = [item.mean(0) for item in X]
    settings = {**SMALL, "attention": "none", "lower": True, "hidden_size": 96}
    model = Captioner(**{**settings, "learning_rate": 0.01}).fit(X, rows)
    rows = {row["name"]: row["bleu"] for row in model.baselines_}
    assert rows["network"] > rows["most frequent caption"] + 1


@unfinished
def test_nothing_is_learnt_from_the_part_held_out(monkeypatch):
    """Vocabulary and scaling are those of the training part."""
    X, y = pairs(24)
    plain = Captioner(**TINY, held_out=0).fit(X[:16], y[:16])
    strange = [["zebra"]] * 8
    model = Captioner(**TINY).fit(
        X[:16], y[:16], valid=([x + 9 for x in X[16:]], strange), test=(X[16:], strange)
    )
    assert model.tokenizer_ == plain.tokenizer_
    assert model.reader_ == plain.reader_
    scenes = draw_scenes(4)
    reader = PictureReader.learn([item[None] for item in scenes.items])
    values = np.stack(scenes.items).astype(float)
    assert reader.mean == pytest.approx(values.mean())
    assert reader.deviation == pytest.approx(values.std())


@pytest.mark.parametrize(
    ("X", "y", "fault"),
    [
        ([np.zeros(3)], ["a"] * 2, "one target per sequence"),
        ([np.zeros(3), np.zeros(4)], ["a"] * 2, "item 1 must be like the first"),
        ([np.zeros(3), [np.nan] * 3], ["a"] * 2, "item 1 .* finite"),
        (np.zeros((2, 8, 8), np.uint8), ["a", ""], "picture 1 must have a caption"),
        (np.zeros((2, 8, 8), np.uint8), ["a", []], "picture 1 must have a caption"),
        (np.zeros((2, 8, 8), np.uint8), "ab", "captions of each picture"),
        (
            [np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8)],
            ["a"] * 2,
            "item 1 must be like the first, an array .8, 8.",
        ),
        ([np.zeros((8, 8), np.uint8), np.zeros(8)], ["a"] * 2, "item 1"),
        ([np.zeros((2, 2, 2, 2))], ["a"], "item 0 must be a picture"),
        ([], [], "at least one"),
        (["gone.png"], ["a"], "'gone.png' must be a picture that opens"),
    ],
)
def test_what_cannot_be_described(X, y, fault):
    with pytest.raises(DataError, match=fault):
        Captioner(**TINY).fit(X, y)


def test_what_is_like_nothing_in_training(animals):
    with pytest.raises(DataError, match=r"4 features of \(1, 2\) places"):
        animals.predict([np.zeros((1, 3, 4))])
    with pytest.raises(DataError, match="4 features"):
        animals.predict([np.zeros((8, 8), np.uint8)])
    seen = np.zeros((6, 8, 8, 3), np.uint8)
    model = Captioner(**TINY, held_out=0).fit(seen, ["a dog"] * 6)
    with pytest.raises(DataError, match=r"shape \(8, 8, 3\) as in training"):
        model.predict(np.zeros((1, 9, 8, 3), np.uint8))


def test_settings_that_do_not_fit():
    with pytest.raises(ConfigError, match="first_state"):
        Captioner(attention="none", first_state="zeros").fit([[1.0]], ["a"])
    with pytest.raises(ConfigError, match="side"):
        Captioner(side=2).fit([[1.0]], ["a"])


def test_figures_by_hand_and_by_sacrebleu():
    metrics = pytest.importorskip("sacrebleu.metrics")
    said = [["a b c d e", "a b c"], ["f g h i j k"], ["a c e", "b d f", "c d e f g"]]
    found = ["a b c", "f g h i z k", "c d e f h"]
    figures = caption_figures(said, found)
    assert figures["exact_match"] == pytest.approx(1 / 3)
    padded = [[s[n] if n < len(s) else s[0] for s in said] for n in range(3)]
    expected = metrics.BLEU().corpus_score(found, padded).score
    assert figures["bleu"] == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="2 for 1"):
        caption_figures([["a"], ["b"]], ["a"])


def test_without_sacrebleu_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu", None)
    with pytest.raises(MissingExtraError, match=r"recurro\[translate\]"):
        caption_figures([["a"]], ["a"])
