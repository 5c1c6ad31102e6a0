from __future__ import annotations

import numpy as np
import pytest

from recurro.data import read_svg, write_svg
from recurro.data.svg_path import path_lines, thin
from recurro.errors import DataError


def read(folder, body: str) -> list[np.ndarray]:
    file = folder / "a.svg"
    file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>')
    return read_svg(file)


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        ("M1 2 3 4", [[[1, 2], [3, 4]]]),  # further pairs are lines
        ("m1,2 3,4l-1-1", [[[1, 2], [4, 6], [3, 5]]]),
        ("M0,0H5V6h-5v-6", [[[0, 0], [5, 0], [5, 6], [0, 6], [0, 0]]]),
        ("M1.5.5L2e1,-3", [[[1.5, 0.5], [20, -3]]]),
        ("M0 0L2 0L2 2Zl-1,1", [[[0, 0], [2, 0], [2, 2], [0, 0]], [[0, 0], [-1, 1]]]),
        ("M0 0zM1 1", [[[0, 0], [0, 0]]]),
        ("", []),
    ],
)
def test_straight_commands(d, expected) -> None:
    assert [line.tolist() for line in path_lines(d)] == expected


def test_curves_are_their_polynomials() -> None:
    """Every place lies on the curve, by its own formula."""
    p = np.array([[0, 0], [1, 3], [4, -2], [5, 1]], float)
    t = np.linspace(0, 1, 33)[:, None]
    cubic = (
        (1 - t) ** 3 * p[0]
        + 3 * t * (1 - t) ** 2 * p[1]
        + 3 * t**2 * (1 - t) * p[2]
        + t**3 * p[3]
    )
    [line] = path_lines("M0,0C1,3 4-2 5,1")
    assert line == pytest.approx(cubic)
    [moved] = path_lines("M2,2c1,3 4-2 5,1")
    assert moved == pytest.approx(cubic + 2)
    [smooth] = path_lines("M0,0C1,3 4-2 5,1S8,0 9,2")
    [spelled] = path_lines("M0,0C1,3 4-2 5,1C6,4 8,0 9,2")
    assert smooth == pytest.approx(spelled)
    [line] = path_lines("M0,0Q1,3 4,-2")
    assert line == pytest.approx(2 * t * (1 - t) * p[1] + t**2 * p[2])
    [smooth] = path_lines("M0,0Q1,3 4,-2t2,2")
    [spelled] = path_lines("M0,0Q1,3 4,-2Q7,-7 6,0")
    assert smooth == pytest.approx(spelled)
    [alone] = path_lines("M0,0T4,-2")  # nothing to mirror: a straight line
    assert alone @ [2, 4] == pytest.approx(0)


@pytest.mark.parametrize("large", [0, 1])
@pytest.mark.parametrize("sweep", [0, 1])
def test_arcs_lie_on_their_ellipse(large, sweep) -> None:
    [line] = path_lines(f"M1,0A2,1 30 {large}{sweep} 2,1")
    turn = np.radians(30)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    round_ = line @ spin.T / [2, 1]  # on the unit circle around some centre
    ones = np.column_stack([2 * round_, np.ones(len(line))])
    fit, left, *_ = np.linalg.lstsq(ones, (round_**2).sum(1), rcond=None)
    assert left == pytest.approx(0, abs=1e-9)
    assert fit[2] + fit[0] ** 2 + fit[1] ** 2 == pytest.approx(1)
    assert line[[0, -1]].tolist() == [[1, 0], [2, 1]]
    angle = np.unwrap(np.arctan2(*(round_ - fit[:2]).T[::-1]))
    assert (angle[-1] > angle[0]) == bool(sweep)
    assert (abs(angle[-1] - angle[0]) > np.pi) == bool(large)


def test_radii_that_are_too_small_grow() -> None:
    [line] = path_lines("M0,0A1,1 0 0 1 4,0")
    assert np.hypot(*(line - [2, 0]).T) == pytest.approx(2)


@pytest.mark.parametrize(
    ("d", "what"),
    [
        ("L1,1", "must begin with M, got L"),
        ("1,1", "must have a command"),
        ("M1", "must have 2 numbers after M, got 1"),
        ("M1,1C1,1", "must have 6 numbers after C, got 2"),
        ("M1,1 B2,2", "must have a command, such as L, at 'B2,2'"),
        ("M0,0A1,1 0 2 0 1,1", "must have 7 numbers after A, got 3"),
    ],
)
def test_paths_that_have_no_meaning(d, what, tmp_path) -> None:
    with pytest.raises(DataError, match=f"a.svg', <path>: d {what}"):
        read(tmp_path, f'<path d="{d}"/>')


def test_shapes_are_lines(tmp_path) -> None:
    shapes = (
        '<polyline points="0,0 1,1 2,0"/><polygon points="0,0 4,0 4,4"/>'
        '<line x1="1" y2="2px"/><rect x="1" y="2" width="3" height="4"/>'
    )
    assert [line.tolist() for line in read(tmp_path, shapes)] == [
        [[0, 0], [1, 1], [2, 0]],
        [[0, 0], [4, 0], [4, 4], [0, 0]],
        [[1, 0], [0, 2]],
        [[1, 2], [4, 2], [4, 6], [1, 6], [1, 2]],
    ]
    [circle, oval] = read(
        tmp_path, '<circle cx="5" r="2"/><ellipse rx="3" ry="1" cy="1"/>'
    )
    assert np.hypot(*(circle - [5, 0]).T) == pytest.approx(2)
    assert np.hypot(*((oval - [0, 1]) / [3, 1]).T) == pytest.approx(1)
    [rounded] = read(tmp_path, '<rect width="10" height="4" rx="1"/>')
    assert rounded.min(0) == pytest.approx([0, 0], abs=0.02)
    assert rounded.max(0) == pytest.approx([10, 4], abs=0.02)
    assert not (rounded == [0, 0]).all(1).any()


def test_groups_move_what_is_in_them(tmp_path) -> None:
    [line] = read(
        tmp_path,
        '<g transform="translate(10 0) rotate(90)"><path transform="scale(2)" '
        'd="M0,0L1,0"/></g>',
    )
    assert line == pytest.approx(np.array([[10, 0], [10, 2]]))
    for transform in ("rotate(90, 1, 1)", "matrix(0 1 -1 0 2 0)"):
        [line] = read(tmp_path, f'<path transform="{transform}" d="M1,1L2,1"/>')
        assert line == pytest.approx(np.array([[1, 1], [1, 2]]))
    [line] = read(tmp_path, '<path transform="skewX(45),skewY(0)" d="M0,0L0,1"/>')
    assert line == pytest.approx(np.array([[0, 0], [1, 1]]))


def test_what_is_no_line_is_named_and_counted(tmp_path) -> None:
    body = (
        '<defs><path d="M0,0L9,9"/></defs><!-- a comment --><text>a</text><text/>'
        '<image/><path d="M0,0L1,1"/>'
    )
    with pytest.warns(UserWarning, match="left out, as no lines: 2 <text>, 1 <image>"):
        assert len(read(tmp_path, body)) == 1


@pytest.mark.filterwarnings("ignore:.*left out")
@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("<text>a</text>", "must draw at least one line, got none"),
        ('<path d="M1,1"/>', "must draw at least one line, got none"),
        ('<rect width="a" height="1"/>', "<rect>: width must be a number"),
        ('<polyline points="1,2,3"/>', "points must be pairs, got 3"),
        ('<polyline points="1,x"/>', "points must be numbers"),
        ('<g transform="fly(1)"/>', "transform must be translate, scale"),
        ("<g>", "must be SVG, got what is no XML"),
    ],
)
def test_files_that_cannot_be_used(body, what, tmp_path) -> None:
    with pytest.raises(DataError, match=what):
        read(tmp_path, body)


def test_other_files(tmp_path) -> None:
    (tmp_path / "a.svg").write_text("<html/>")
    with pytest.raises(DataError, match="must be SVG, got XML of <html>"):
        read_svg(tmp_path / "a.svg")
    with pytest.raises(DataError, match="must be a readable file"):
        read_svg(tmp_path / "none.svg")


def test_thin_lines_lie_near() -> None:
    t = np.linspace(0, 6, 200)
    line = np.column_stack([t, np.sin(t)])
    kept = thin(line, 0.01)
    assert 5 < len(kept) < 40
    assert np.abs(np.interp(t, *kept.T) - np.sin(t)).max() < 0.02


def test_drawings_come_back_from_svg(tmp_path) -> None:
    zigzag = np.array([[3, 9, 0], [5, -9, 1], [7, 0, 0], [1, 5, 1]], float)
    write_svg(tmp_path / "a.svg", [zigzag])
    first, second = read_svg(tmp_path / "a.svg")
    assert np.diff(first, axis=0) == pytest.approx(zigzag[:2, :2])
    assert second[0] - first[-1] == pytest.approx(zigzag[2, :2])
