"""Pictures of attention are SVG that says what it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from recurro.report.attention import attention_svg


def test_each_weight_is_a_cell() -> None:
    looks = [
        (["ein", " hund", ""], ["a", " <dog>", ""], np.eye(3)),
        (["x"], ["y"], np.ones((1, 1))),
    ]
    tree = ElementTree.fromstring(attention_svg(looks))
    cells = [e for e in tree.iter() if e.tag.endswith("rect") and "width" in e.attrib]
    shades = [
        float(e.attrib["fill-opacity"]) for e in cells if "fill-opacity" in e.attrib
    ]
    assert len(shades) == 10
    assert sum(shades) == 4
    names = [e.text for e in tree.iter() if e.tag.endswith("text")]
    assert names[:6] == ["ein", "hund", "(end)", "a", "<dog>", "(end)"]


def test_nothing_is_drawn_of_nothing() -> None:
    assert ElementTree.fromstring(attention_svg([])) is not None
