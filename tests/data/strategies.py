"""Texts for the property tests, whole and in blocks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

_LETTERS = st.sampled_from("ab é\u0301\n\n \t😀日\u00a0\0.'\u2019")
texts = st.text(_LETTERS, max_size=40) | st.text(max_size=40)


@st.composite
def cut(draw, whole):
    """A text in blocks, some of them empty."""
    text = draw(whole)
    places = st.lists(st.integers(0, len(text)), max_size=6)
    borders = [0, *sorted(draw(places)), len(text)]
    return [text[i:j] for i, j in pairwise(borders)]


blocks = cut(texts)
