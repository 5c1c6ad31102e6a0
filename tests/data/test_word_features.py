from __future__ import annotations

from zlib import crc32

from recurro.data.word_features import (
    FEATURES,
    PIECES,
    character_features,
    word_features,
)


def test_words_pairs_and_pieces() -> None:
    found = word_features(["so", "fun", "so"])
    assert found.shape == (3, 2 + PIECES)
    assert found[0, 0] == found[2, 0] != found[1, 0]
    assert found[0, 1] != found[2, 1]  # other pairs

    def place(name: str) -> int:
        return 1 + crc32(name.encode()) % FEATURES

    assert found[1, 0] == place("wfun")
    assert found[1, 1] == place("pso fun")
    pieces = ["<fu", "fun", "un>", "<fun", "fun>", "<fun>"]
    assert {*found[1, 2:].tolist()} - {0} == {place(f"c{piece}") for piece in pieces}
    assert (word_features(["antidisestablishmentarianism"]) > 0).all()
    assert word_features([]).shape == (0, 2 + PIECES)


def test_characters_and_the_pieces_that_end_with_them() -> None:
    found = character_features("abc")

    def places(*names: str) -> list[int]:
        known = [1 + crc32(name.encode()) % FEATURES if name else 0 for name in names]
        return known + [0] * (5 - len(known))

    assert found.tolist() == [
        places("a", "<a"),
        places("b", "ab", "<ab"),
        places("c", "bc", "abc", "<abc"),
        places(">", "c>", "bc>", "abc>", "<abc>"),
    ]
