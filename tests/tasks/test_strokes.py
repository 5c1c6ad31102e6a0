from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from recurro.baselines.strokes import GaussianAutoregression
from recurro.data import (
    Drawings,
    as_drawing,
    draw_lines,
    line_groups,
    read_drawings,
    write_text,
)
from recurro.errors import ArgumentError, ConfigError, DataError, RunError
from recurro.nn.mixture import ENDED
from recurro.tasks import StrokeModel
from tests.datasets import dataset

SMALL = {"hidden_size": 12, "mixtures": 2, "epochs": 2, "batch_size": 4, "dropout": 0.0}


def zigzag(points: int, size: float = 10.0) -> list[list[float]]:
    rows = [[size, size * (-1) ** n, float(n % 3 == 2)] for n in range(points)]
    rows[-1][2] = 1.0
    return rows


DRAWINGS = [zigzag(5 + n) for n in range(9)]


@pytest.fixture(scope="module")
def model() -> StrokeModel:
    return StrokeModel(**SMALL).fit(DRAWINGS)


def by_hand(model: StrokeModel, drawing: np.ndarray) -> np.ndarray:
    """-log p of each point, from the parts of the network."""
    network, scale = model.network_.eval(), model.network_.head.head.scale
    points = torch.from_numpy(drawing.copy())
    pen = torch.nn.functional.one_hot(points[:-1, 2].long(), 2)
    x = torch.cat([points[:-1, :2] / scale, pen], 1)
    x = torch.cat([torch.zeros(1, 4), x])
    points[-1, 2] = ENDED
    with torch.no_grad():
        y, _ = network.recurrent(x[:, None])
        return -network.head.head(y[:, 0]).log_prob(points).double().numpy()


def test_a_cut_of_the_kanji_is_learnt() -> None:
    parts = read_drawings(dataset("kanji-strokes/short_kanji.npz"))
    train, valid = parts["train"][:160], parts["valid"][:30]
    model = StrokeModel(hidden_size=24, mixtures=4, epochs=6, batch_size=8)
    rows = model.set_params(learning_rate=0.01).fit(train, valid=valid).baselines_
    linear, ours = (row["nll_per_point"] for row in rows)
    assert ours < linear - 0.5


def test_figures_are_those_of_the_network_by_hand(model) -> None:
    drawings = [as_drawing(zigzag(7)), as_drawing([[3, 4, 1]])]
    losses = [by_hand(model, drawing) for drawing in drawings]
    assert model.log_prob(drawings) == pytest.approx([-part.sum() for part in losses])
    mean = np.concatenate(losses).mean()
    assert model.evaluate(drawings) == {"nll_per_point": pytest.approx(mean)}
    assert model.score(Drawings(drawings)) == pytest.approx(-mean)


def test_the_baseline_stands_beside_the_network(model) -> None:
    names = [row["name"] for row in model.baselines_]
    assert names == ["Gaussian autoregression of order 16", "network"]


def test_the_baseline_has_the_same_units(model) -> None:
    """Both are densities of offsets as they are given: ten times as far, less dense."""
    far = [zigzag(5 + n, 100.0) for n in range(9)]
    other = StrokeModel(**SMALL).fit(far)
    for ours, theirs in zip(model.baselines_, other.baselines_, strict=True):
        found = theirs["nll_per_point"] - ours["nll_per_point"]
        assert found == pytest.approx(2 * np.log(10), abs=1e-3)


def test_what_is_held_out_is_not_learnt_from() -> None:
    """Neither weights nor the scale, which is that of the training part."""
    settings = {**SMALL, "keep": "last"}
    fits = [
        StrokeModel(**settings).fit(DRAWINGS[:5], valid=held)
        for held in (DRAWINGS[5:], [zigzag(20, 1e3)])
    ]
    first, second = (model.network_.state_dict() for model in fits)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert fits[0].network_.encoder.scale.item() == pytest.approx(10)
    assert fits[0].baselines_ != fits[1].baselines_


@pytest.mark.filterwarnings("ignore:.*had not ended")
def test_samples_follow_the_network(model) -> None:
    """Points drawn after the same prompt have the chances that a whole run gives."""
    prompt = as_drawing(zigzag(3))
    network = model.network_.eval()
    x = model.reader_([np.concatenate([prompt, prompt[:1]])])[0]
    with torch.no_grad():
        y, _ = network.recurrent(network.encoder(torch.from_numpy(x)[:, None]))
        told = network.head.head(y[-1])
    drawn = model.generate(2000, prompt=prompt, seed=0, length=3, temperature=1.0)
    points = np.array([drawing[3] for drawing in drawn])
    assert all(np.array_equal(drawing[:3], prompt) for drawing in drawn)
    mean = (told.weights.exp()[..., None] * told.means).sum(1)[0].numpy()
    assert points[:, :2].mean(0) == pytest.approx(mean, abs=1.0)
    down = told.pen.exp()[0, 0].item()
    assert (points[:, 2] == 0).mean() == pytest.approx(down, abs=0.05)


@pytest.mark.filterwarnings("ignore:.*had not ended")
def test_samples_repeat_by_seed_and_are_drawings(model) -> None:
    drawn = model.generate(3, seed=1, length=40)
    again = model.generate(3, seed=1, length=40)
    for first, second in zip(drawn, again, strict=True):
        assert np.array_equal(first, second)
        assert np.array_equal(as_drawing(first), first)
    [longest] = model.generate(1, seed=1, length=40, prompt=DRAWINGS[0])
    assert np.array_equal(longest[:5], as_drawing(DRAWINGS[0]))


def test_samples_that_do_not_end_are_counted(model) -> None:
    with pytest.warns(UserWarning, match=r"drawings had not ended after 1 points"):
        drawn = model.generate(20, seed=0, length=1)
    assert {len(drawing) for drawing in drawn} == {1}


@pytest.mark.parametrize(
    "settings",
    [{"number": 0}, {"length": 0}, {"temperature": -1.0}, {"temperature": np.inf}],
)
def test_samples_out_of_range(model, settings) -> None:
    with pytest.raises(ArgumentError, match="generate: number and length must be at"):
        model.generate(**settings)


def test_the_plain_head_is_told_in_the_same_units() -> None:
    """Its figure is that of a normal distribution; the mixture's is better."""
    rows = {}
    for mixtures in (0, 2):
        settings = {**SMALL, "epochs": 8, "mixtures": mixtures}
        model = StrokeModel(**settings).fit(DRAWINGS * 3)
        rows[mixtures] = model.evaluate(DRAWINGS)["nll_per_point"]
    assert rows[2] < rows[0]
    assert rows[0] > np.log(2 * np.pi) + 2 * np.log(10)


@pytest.mark.filterwarnings("ignore:.*had not ended")
def test_other_cells_and_an_embedding() -> None:
    from recurro.cells import GRU

    model = StrokeModel(**SMALL, embedding_size=7, cell=GRU(), num_layers=2)
    model.fit(DRAWINGS)
    assert model.network_.recurrent.input_size == 7
    assert len(model.generate(2, length=3, seed=0, temperature=0)) == 2


def test_a_run_is_loaded_and_resumed(tmp_path) -> None:
    out = tmp_path / "run"
    model = StrokeModel(**{**SMALL, "mixtures": 0}, out=out).fit(DRAWINGS)
    loaded = StrokeModel.load(out)
    assert loaded.mixtures == 0
    assert loaded.evaluate(DRAWINGS) == model.evaluate(DRAWINGS)
    resumed = StrokeModel.resume(out)
    assert resumed.baselines_ == model.baselines_
    (out / "pen.json").write_text('{"states": {}}')
    with pytest.raises(RunError, match=r"pen\.json"):
        StrokeModel.load(out)


def test_the_verbs_of_scikit_learn() -> None:
    model = StrokeModel(**{**SMALL, "epochs": 1})
    assert clone(model).get_params() == model.get_params()
    assert np.isfinite(cross_val_score(model, DRAWINGS, cv=2)).all()


@pytest.mark.parametrize(
    ("drawings", "what"),
    [
        ([], "must be given at least one drawing, got none"),
        ([DRAWINGS[0], []], "drawing 1: must have at least one point, got none"),
        ([DRAWINGS[0], [[1, np.nan, 1]]], "drawing 1: must hold finite numbers, got"),
        ([[[1, 2, 0]]], "drawing 0: the pen must be lifted at the end"),
    ],
)
def test_drawings_that_cannot_be_used_are_named(drawings, what) -> None:
    with pytest.raises(DataError, match=what):
        StrokeModel(**SMALL).fit(drawings)


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"mixtures": -1}, "mixtures"), ({"dropout": 1.0}, "dropout")],
)
def test_settings_out_of_range(settings, what) -> None:
    with pytest.raises(ConfigError, match=f"'{what}' must be"):
        StrokeModel(**{**SMALL, **settings}).fit(DRAWINGS)


def test_padding_wastes_little() -> None:
    parts = read_drawings(dataset("kanji-strokes/short_kanji.npz"))
    lengths = np.array([len(drawing) for drawing in parts["train"].points])
    groups = line_groups(lengths, 50, generator=torch.Generator().manual_seed(0))
    read = sum(lengths[rows].max() * len(rows) for rows in groups)
    assert 1 - lengths.sum() / read < 0.1


TEXTS = ["ab", "c d", "bad", "cab"] * 6
HAND = np.random.default_rng(0)
LINES = Drawings([write_text(text, HAND) for text in TEXTS], TEXTS)
WRITER = {**SMALL, "window": 3, "batch_size": 10}


@pytest.fixture(scope="module")
def writer() -> StrokeModel:
    return StrokeModel(**WRITER).fit(LINES)


def test_texts_are_read_beside_the_drawings(writer) -> None:
    """Another text, another likelihood, from the first point on or so."""
    swapped = Drawings(LINES.points, [text + "a" for text in TEXTS])
    assert (writer.log_prob(LINES) != writer.log_prob(swapped)).all()
    alone = [writer.log_prob(LINES[n : n + 1])[0] for n in range(3)]
    assert alone == pytest.approx(writer.log_prob(LINES)[:3].tolist(), rel=1e-4)


@pytest.mark.filterwarnings("ignore:.*not in training")
def test_the_window_begins_at_the_pace_of_the_training_part() -> None:
    model = StrokeModel(**{**WRITER, "learning_rate": 1e-12}).fit(
        LINES[:16], valid=draw_lines(2, seed=2)
    )
    symbols = sum(map(len, TEXTS[:16]))
    rate = symbols / sum(map(len, LINES.points[:16]))
    found = model.network_.window.linear.bias.chunk(3)[2].exp()
    assert found.tolist() == pytest.approx([rate] * 3, rel=1e-4)


@pytest.mark.filterwarnings("ignore:.*had not ended")
def test_texts_are_written(writer) -> None:
    both = writer.generate(text=["ab", "c d"], length=30, seed=0)
    assert len(both) == 2
    several = writer.generate(3, text="ab", length=30, seed=0)
    assert len({drawing.tobytes() for drawing in several}) == 3
    begun = LINES.points[0]
    [longer] = writer.generate(text="ab", prompt=begun, length=2, seed=0)
    assert np.array_equal(longer[: len(begun)], begun)


def test_samples_of_a_writer_follow_its_chances(writer) -> None:
    """The mean of many first points is that which a whole run tells."""
    nothing = Drawings([as_drawing([[1, 1, 1]])], ["ab"])
    batch = writer._answered(nothing, nothing).sequences.batch(np.arange(1), np.ones(1))
    with torch.no_grad():
        told = writer.network_.eval().distribution(batch)
    mean = (told.weights.exp()[..., None] * told.means).sum(1)[0].numpy()
    with pytest.warns(UserWarning, match="had not ended"):
        drawn = writer.generate(2000, text="ab", length=1, seed=0)
    points = np.array([drawing[0, :2] for drawing in drawn])
    error = points.std(0) / np.sqrt(len(points))
    assert (np.abs(points.mean(0) - mean) < 5 * error).all()


def test_a_writer_is_loaded_and_resumed(tmp_path) -> None:
    out = tmp_path / "run"
    model = StrokeModel(**WRITER, out=out).fit(LINES)
    assert StrokeModel.load(out).evaluate(LINES) == model.evaluate(LINES)
    assert StrokeModel.resume(out).baselines_ == model.baselines_


def test_the_vocabulary_is_that_of_the_training_part() -> None:
    train, valid = Drawings(LINES.points[:9], ["ab"] * 9), LINES[9:11]
    with pytest.warns(UserWarning, match="symbols of the texts were not in training"):
        model = StrokeModel(**WRITER).fit(train, valid=valid)
    assert set(model.reader_.tokenizer.symbols) >= {"a", "b"}
    assert model.reader_.tokenizer.missing("abz") == ["z"]


def test_texts_that_cannot_be_written(writer, model) -> None:
    for settings, what in (
        ({}, "text must be given to a model with a window"),
        ({"number": 2, "text": ["a"]}, "one for each of 2 drawings, got 1"),
    ):
        with pytest.raises(ArgumentError, match=what):
            writer.generate(**settings)
    with pytest.raises(DataError, match="symbols seen in training, got 'é'"):
        writer.generate(text="é")
    with pytest.raises(DataError, match="must have texts with a window, got none"):
        writer.evaluate(DRAWINGS)
    with pytest.raises(ArgumentError, match="text must be given to a model with a win"):
        model.generate(text="a")


@pytest.mark.slow
def test_kanji_are_told_better_than_by_an_autoregression() -> None:
    parts = read_drawings(dataset("kanji-strokes/short_kanji.npz"))
    model = StrokeModel().fit(parts["train"])
    linear = GaussianAutoregression(16).fit(model._items(parts["train"]))
    valid = model._items(parts["valid"])
    losses = -np.concatenate([linear.log_probs(drawing) for drawing in valid])
    assert model.evaluate(parts["valid"])["nll_per_point"] < losses.mean() - 2
