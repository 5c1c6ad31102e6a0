"""The chart: sound SVG, everything on the picture, round ticks."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurro.report.chart import HEIGHT, WIDTH, Level, Line, line_chart, ticks

finite = st.floats(-1e9, 1e9, allow_nan=False)


def draw(*lines, **options):
    text = line_chart(lines, x_label="updates", y_label="nats", **options)
    return ElementTree.fromstring(text)


def places(svg, name):
    line = next(part for part in svg.iter("polyline") if part.get("class") == name)
    return [tuple(map(float, p.split(","))) for p in line.get("points").split()]


@given(low=finite, width=st.floats(1e-6, 1e9))
def test_ticks_are_few_round_and_inside(low, width):
    high = low + width
    assume(high - low > 1e-6 * abs(low))  # else the test's own sums lose digits
    found = ticks(low, high)
    assert 2 <= len(found) <= 9
    rough = found[1] - found[0]
    power = 10.0 ** math.floor(math.log10(rough) + 1e-6)
    step = min((power, 2 * power, 5 * power), key=lambda s: abs(s - rough))
    for tick in found:
        assert low - 1e-6 * step <= tick <= high + 1e-6 * step
        assert abs(tick / step - round(tick / step)) < 1e-6


@given(st.lists(st.tuples(st.floats(0, 1e7), finite), min_size=1, max_size=30))
def test_any_points_stay_on_the_picture(points):
    svg = draw(Line("train", sorted(points), dots=True))
    for x, y in places(svg, "train"):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_axes_are_labelled_and_lower_is_lower():
    svg = draw(Line("train", [(0, 4.0), (500, 2.0), (1000, 1.0)]))
    texts = [part.text for part in svg.iter("text")]
    assert {"updates", "nats", "0", "1k", "200", "1.5", "3.5"} <= set(texts)
    (x0, y0), (x1, y1), (x2, y2) = places(svg, "train")
    assert x0 < x1 < x2
    assert y0 < y1 < y2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y1 - y0 == pytest.approx(2 * (y2 - y1), abs=0.2)


def test_an_axis_that_counts_has_whole_ticks():
    svg = draw(Line("train", [(0, 1.0), (3, 2.0)]))
    texts = {part.text for part in svg.iter("text")}
    assert {"0", "1", "2", "3"} < texts
    assert not {"0.5", "2.5"} & texts


def test_long_lines_are_averaged():
    points = [(i, float(i % 5)) for i in range(10_000)]
    svg = draw(Line("train", points))
    drawn = places(svg, "train")
    assert len(drawn) == 400
    assert len({y for _, y in drawn}) == 1


def test_one_peak_does_not_flatten_the_rest():
    points = [(i, 3.0 - i / 100) for i in range(200)]
    points[100] = (100, 1e6)
    drawn = places(draw(Line("train", points)), "train")
    assert drawn[0][1] < 0.2 * HEIGHT
    assert drawn[-1][1] > 0.7 * HEIGHT
    assert drawn[100][1] < 0.2 * HEIGHT


def test_numbers_that_are_not_finite_are_left_out():
    svg = draw(Line("train", [(0, 1.0), (1, math.nan), (2, math.inf), (3, 2.0)]))
    assert len(places(svg, "train")) == 2


def test_one_point_is_a_dot():
    svg = draw(Line("valid", [(5, 1.0)]))
    assert len(list(svg.iter("circle"))) == 1


@pytest.mark.parametrize("lines", [[], [Line("train", [])]])
def test_nothing_to_draw(lines):
    assert line_chart(lines, x_label="x", y_label="y") == ""


def test_levels_near_are_labelled_apart_and_far_ones_left_out():
    line = Line("train", [(0, 2.0), (10, 1.0)])
    levels = [Level("a", 1.5), Level("b", 1.501), Level("<far>", 50.0)]
    svg = draw(line, levels=levels)
    labels = {
        part.text: float(part.get("y"))
        for part in svg.iter("text")
        if part.text in ("a", "b", "<far>")
    }
    assert labels.keys() == {"a", "b"}
    assert abs(labels["a"] - labels["b"]) >= 12
    assert len([p for p in svg.iter("line") if p.get("class") == "level"]) == 2


def test_marks_are_placed_on_the_axis():
    svg = draw(Line("train", [(0, 2.0), (10, 1.0)]), marks=[5, 99])
    assert len(list(svg.iter("path"))) == 1


def test_names_are_escaped():
    svg = draw(Line('<&">', [(0, 1.0)]), levels=[Level("</svg>", 1.0)])
    assert "</svg>" in [part.text for part in svg.iter("text")]


def test_peaks_of_long_lines_are_kept():
    points = [(float(x), 0.0) for x in range(9000)]
    points[4321] = (4321.0, 50.0)
    points[4322] = (4322.0, -50.0)
    drawn = places(draw(Line("train", points, peaks=True), cut=False), "train")
    averaged = places(draw(Line("train", points), cut=False), "train")
    assert len(drawn) <= 2 * 400
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    heights = sorted({y for _, y in drawn})
    assert len(heights) == 3
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)
    assert len({y for _, y in averaged}) == 1


def test_bands_lie_where_they_are():
    svg = draw(Line("train", [(0, 1), (100, 2)]), bands=[(20, 40), (70, 70)])
    bands = [part for part in svg.iter("rect") if part.get("class") == "band"]
    (left, _), (right, _) = places(svg, "train")
    wide = right - left
    found = [(float(b.get("x")), float(b.get("width"))) for b in bands]
    assert found[0] == pytest.approx((left + 0.2 * wide, 0.2 * wide), abs=0.11)
    assert found[1] == pytest.approx((left + 0.7 * wide, 1.0), abs=0.11)
    assert bands[0].find("title").text == "20 to 40"
