from __future__ import annotations

import json

import pytest

from recurro.data import (
    Drawings,
    as_drawing,
    draw_lines,
    read_drawings,
    write_drawings,
)
from tests.cli.command import complaint, recurro

ZIGZAG = as_drawing([[3, 4, 0], [3, -4, 1], [3, 4, 0], [3, -4, 1]])
SMALL = ["--hidden-size", 8, "--epochs", 2, "--mixtures", 2, "-q"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A run of strokes and the file it was trained on."""
    place = tmp_path_factory.mktemp("strokes")
    data = place / "drawings.npz"
    parts = {"train": [ZIGZAG] * 6, "valid": [ZIGZAG[2:]], "test": [ZIGZAG] * 2}
    write_drawings(data, {name: Drawings(part) for name, part in parts.items()})
    out = recurro("train", "strokes", data, *SMALL, "-o", place / "run").out
    assert "Gaussian autoregression of order 16" in out
    assert f"recurro generate {place / 'run'} --svg FILE --png FILE" in out
    return place / "run", data


def test_the_part_named_test_is_scored(drawn):
    run, data = drawn
    [(name, value)] = json.loads(recurro("evaluate", run, data, "--json").out).items()
    assert name == "nll_per_point"
    rows = recurro("predict", run, data).out.splitlines()
    assert [row.split("\t")[1:] for row in rows] == [["0", "4"], ["1", "4"]]
    rows = json.loads(recurro("resume", run, "--json", "-q").out)["test_baselines"]
    assert rows[-1]["nll_per_point"] == pytest.approx(value)


@pytest.mark.filterwarnings("ignore:.*had not ended")
def test_drawings_are_written_as_svg_and_png(drawn, folder):
    pytest.importorskip("PIL")
    run, data = drawn
    words = ["generate", run, "-n", 6, "--number", 2, "--seed", 1]
    recurro(*words, "--svg", "a.svg", "--png", "a.png")
    assert (folder / "a.png").stat().st_size > 100
    assert len(read_drawings("a.svg")[""]) == 1
    assert recurro("evaluate", run, "a.svg").out.startswith("nll per point")
    found = json.loads(recurro(*words, "--prompt", data, "--json").out)
    assert [drawing["points"][:4] for drawing in found] == [ZIGZAG.tolist()] * 2
    rows = recurro(*words).out.splitlines()
    assert {row.split("\t")[0] for row in rows} == {"0", "1"}


@pytest.mark.filterwarnings("ignore:.*had not ended")
def test_texts_are_learnt_and_written(folder):
    write_drawings("lines.npz", {"": draw_lines(30, seed=1)})
    recurro("train", "strokes", "lines.npz", *SMALL, "--window", 2, "-o", "run")
    words = ["generate", "run", "--text", "ab", "-n", 9, "--json"]
    [drawing] = json.loads(recurro(*words, "--seed", 1).out)
    assert 0 < len(drawing["points"]) <= 9
    assert recurro("evaluate", "run", "lines.npz").out.startswith("nll per point")
    assert "text must be given to a model with a window" in complaint("generate", "run")
    assert "seen in training, got 'é'" in complaint("generate", "run", "--text", "é")
    assert "text must hold at least one" in complaint("generate", "run", "--text", "")
    texts = ["a"] * 11 + [" "]
    write_drawings("blank.npz", {"": Drawings(draw_lines(12, seed=1).points, texts)})
    words = ["train", "strokes", "blank.npz", "--window", 2, "-o", "blank"]
    assert "drawing 11 must have a text with a window, got ' '" in complaint(*words)
    write_drawings("same.npz", {"": Drawings([ZIGZAG] * 9)})
    said = recurro("train", "strokes", "same.npz", *SMALL, "-o", "same").err
    assert "none of 9 items could be held out" in said


def test_a_folder_of_svg_is_learnt(folder):
    for number in range(12):
        (folder / f"{number}.svg").write_text(
            f'<svg><path d="M0,0L{number},5 9,9"/><circle r="3"/></svg>'
        )
    words = ["train", "strokes", folder, *SMALL, "--mixtures", 0, "-o", "run"]
    assert json.loads(recurro(*words, "--json").out)["nll_per_point"] > 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--top-k", 3], "--top-k: must be left out for a run of strokes"),
        (["--midi", "a.mid"], "--midi: must be left out for a run of strokes"),
        (["--prompt", "none.npz"], "no file 'none.npz'"),
        (["--length", 0], "--length: must be at least 1"),
        (["--png", "a.jpg"], "--png: must name a file that ends in .png, got 'a.jpg'"),
        (["--svg", "a.png"], "--svg: must name a file that ends in .svg, got 'a.png'"),
        (["--text", "a"], "other, got 'a'. Do not say what to write."),
    ],
)
def test_generate_refuses(drawn, words, expected):
    assert expected in complaint("generate", drawn[0], *words)


def test_text_has_no_svg(run):
    assert "--svg: is for a run of strokes" in complaint("generate", run, "--svg", "a")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none.npz", "no file 'none.npz'"),
        ("only.npz", "must have no parts, or one named train, got valid"),
        ("a.svg", "must be SVG"),
    ],
)
def test_data_that_cannot_be_used(folder, name, expected):
    write_drawings("only.npz", {"valid": Drawings([ZIGZAG])})
    (folder / "a.svg").write_text("no xml")
    assert expected in complaint("train", "strokes", name, "-o", "run")
