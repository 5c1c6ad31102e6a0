from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from torch.nn import functional

from recurro.baselines.music import MarkovKeys
from recurro.data import Note, Score, as_roll, line_groups, read_pieces, write_midi
from recurro.data.midi import read_midi
from recurro.errors import ArgumentError, ConfigError, DataError, RunError
from recurro.tasks import MusicModel
from tests.datasets import dataset

BROKEN = [[60], [64], [67], [64]] * 4
SMALL = {"hidden_size": 12, "epochs": 2, "batch_size": 4, "dropout": 0.0}
PIECES = [BROKEN[: 5 + n] for n in range(8)]


@pytest.fixture(scope="module")
def model() -> MusicModel:
    return MusicModel(**SMALL).fit(PIECES)


def by_hand(model: MusicModel, piece: list[list[int]]) -> np.ndarray:
    """-log P of each frame, from the parts of the network."""
    roll = torch.from_numpy(as_roll(piece))
    network = model.network_.eval()
    before = torch.cat([torch.zeros(1, 88), roll[:-1]])[:, None]
    with torch.no_grad():
        y, _ = network.recurrent(before)
        z = network.head.head.linear(y[:, 0])
    losses = functional.binary_cross_entropy_with_logits(z, roll, reduction="none")
    return losses.sum(1).double().numpy()


def test_a_cut_of_the_chorales_is_learnt() -> None:
    parts = read_pieces(dataset("jsb-chorales/jsb-chorales-quarter.json"))
    train = [roll[:40] for roll in parts["train"][:60]]
    model = MusicModel(hidden_size=64, epochs=12, batch_size=4, learning_rate=0.01)
    model.fit(train, valid=parts["valid"][:10])
    counted = MarkovKeys().fit(train)
    test = parts["test"][:20]
    chained = np.concatenate([counted.log_probs(roll)[1:] for roll in test])
    assert model.evaluate(test)["nll_per_frame"] < -chained.mean() - 0.3


def test_figures_are_those_of_the_network_by_hand(model) -> None:
    pieces = [BROKEN[:7], [[60, 64], [], [21]]]
    losses = [by_hand(model, piece) for piece in pieces]
    assert model.log_prob(pieces) == pytest.approx([-part.sum() for part in losses])
    later = np.concatenate([part[1:] for part in losses])
    assert model.evaluate(pieces) == {"nll_per_frame": pytest.approx(later.mean())}
    assert model.score(pieces) == pytest.approx(-later.mean())


def test_rolls_lists_and_scores_are_the_same_pieces(model) -> None:
    score = Score((Note(0, 2, 60), Note(1, 3, 64)), 3)
    pieces = [[[60], [60, 64], [64]], as_roll([[60], [60, 64], [64]]), score]
    first, *others = model.log_prob(pieces)
    assert others == pytest.approx([first, first])


def test_baselines_stand_beside_the_network(model) -> None:
    names = [row["name"] for row in model.baselines_]
    assert names == ["independent keys", "Markov chain of each key", "network"]
    assert all(row["nll_per_frame"] > 0 for row in model.baselines_)


def test_what_is_held_out_is_not_learnt_from() -> None:
    settings = {**SMALL, "keep": "last"}
    fits = [
        MusicModel(**settings).fit(PIECES[:4], valid=held)
        for held in (PIECES[4:], [[[90], [91]]])
    ]
    first, second = (model.network_.state_dict() for model in fits)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert fits[0].baselines_ != fits[1].baselines_


def test_samples_follow_the_chances_of_the_network(model) -> None:
    """Frames drawn after the same prompt have the chances that a whole run gives."""
    prompt = BROKEN[:3]
    network = model.network_.eval()
    before = torch.cat([torch.zeros(1, 88), torch.from_numpy(as_roll(prompt))])
    with torch.no_grad():
        y, _ = network.recurrent(before[:, None])
        chance = torch.sigmoid(network.head.head.linear(y[-1, 0])).numpy()
    drawn = [model.generate(1, prompt=prompt, seed=n)[-1] for n in range(100)]
    share = np.mean(drawn, axis=0)
    assert np.abs(share - chance).max() < 5 * np.sqrt(0.25 / 100)
    assert model.generate(1, prompt=prompt, temperature=0)[-1] == pytest.approx(
        (chance > 0.5).astype(np.float32)
    )


def test_samples_begin_with_the_prompt_and_repeat_by_seed(model, tmp_path) -> None:
    roll = model.generate(5, prompt=BROKEN[:3], seed=1)
    assert roll.shape == (8, 88)
    assert np.array_equal(roll[:3], as_roll(BROKEN[:3]))
    assert np.array_equal(roll, model.generate(5, prompt=BROKEN[:3], seed=1))
    score = model.compose(5, prompt=BROKEN[:3], tempo=60, seed=1)
    write_midi(tmp_path / "a.mid", score)
    assert read_midi(tmp_path / "a.mid").notes == score.notes
    assert (score.length, score.tempo) == (8, 60)


@pytest.mark.parametrize(
    "settings", [{"frames": 0}, {"temperature": -1.0}, {"temperature": float("inf")}]
)
def test_samples_of_no_length_or_temperature(model, settings) -> None:
    with pytest.raises(ArgumentError, match="generate: frames must be at least 1"):
        model.generate(**settings)


def test_an_embedding_and_other_cells_may_read_the_keys() -> None:
    from recurro.cells import GRU

    model = MusicModel(**SMALL, embedding_size=7, cell=GRU(), step=0.5).fit(PIECES)
    assert model.network_.recurrent.input_size == 7
    assert model.compose(4, seed=0).length == 2


def test_a_run_is_loaded_and_resumed(tmp_path) -> None:
    out = tmp_path / "run"
    model = MusicModel(**SMALL, step=0.25, out=out).fit(PIECES)
    loaded = MusicModel.load(out)
    assert loaded.step == 0.25
    assert loaded.evaluate(PIECES) == model.evaluate(PIECES)
    resumed = MusicModel.resume(out)
    assert resumed.baselines_ == model.baselines_
    (out / "keyboard.json").write_text('{"lowest": 9, "keys": 88}')
    with pytest.raises(RunError, match=r"keyboard\.json"):
        MusicModel.load(out)


def test_the_verbs_of_scikit_learn() -> None:
    model = MusicModel(**{**SMALL, "epochs": 1})
    assert clone(model).get_params() == model.get_params()
    scores = cross_val_score(model, PIECES, cv=2)
    assert (scores < 0).all()


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ([], "must be given at least one piece, got none"),
        ([BROKEN, []], "piece 1: must be frames of pitches, at least one, got none"),
        ([BROKEN, [[60], [12]]], "piece 1, frame 1: a pitch must be a whole number"),
        ([np.zeros((4, 12))], r"piece 0: a piano roll must be \(time, 88\)"),
    ],
)
def test_pieces_that_cannot_be_read_are_named(pieces, what) -> None:
    with pytest.raises(DataError, match=what):
        MusicModel(**SMALL).fit(pieces)


def test_pieces_of_one_frame_are_no_measure(model) -> None:
    with pytest.raises(DataError, match="must have a piece of two frames, got 2 of"):
        model.evaluate([[[60]], [[61]]])


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"step": 0.0}, "step"), ({"dropout": 1.0}, "dropout"), ({"epochs": 0}, "epochs")],
)
def test_settings_out_of_range(settings, what) -> None:
    with pytest.raises(ConfigError, match=f"'{what}' must be"):
        MusicModel(**settings).fit(PIECES)


def test_padding_wastes_little() -> None:
    parts = read_pieces(dataset("jsb-chorales/jsb-chorales-quarter.json"))
    lengths = np.array([len(roll) for roll in parts["train"]])
    groups = line_groups(lengths, 16, generator=torch.Generator().manual_seed(0))
    read = sum(lengths[rows].max() * len(rows) for rows in groups)
    assert 1 - lengths.sum() / read < 0.1
