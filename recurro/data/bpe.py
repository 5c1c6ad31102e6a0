"""Byte pairs: learning and applying merges, by the tokenizers library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from recurro.errors import DataError

Merge = tuple[str, str]
"""Two symbols that become one."""


@cache
def byte_signs() -> dict[str, int]:
    """The sign that stands for each byte in a byte-level symbol, as GPT-2 has it.

    Printable Latin-1 characters stand for themselves; the others, in order, for the
    characters from U+0100 on (so a space is written Ġ and a newline Ċ).

    Example:
        >>> byte_signs()["A"], byte_signs()["Ġ"], byte_signs()["Ċ"]
        (65, 32, 10)

    References:
        Radford et al. (2019), Language models are unsupervised multitask learners,
        section 2.2.
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    signs = {chr(byte): byte for byte in plain}
    return signs | {chr(256 + i): byte for i, byte in enumerate(others)}


def learn_merges(
    blocks: Iterable[str], size: int, min_count: int
) -> tuple[list[str], list[Merge]]:
    """Learn a vocabulary of byte pairs.

    Args:
        blocks: The text, cut where no word is cut.
        size: How many symbols to have at most, the 256 bytes among them.
        min_count: How often a pair must be seen to be merged.

    Returns:
        The symbols in the order of their ids, and the merges in the order in which
        they are applied.

    References:
        Sennrich, Haddow and Birch (2016), arXiv:1508.07909, algorithm 1.
    """
    library = _pipeline(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_count,
        initial_alphabet=sorted(byte_signs()),
        show_progress=False,
    )
    library.train_from_iterator(blocks, trainer)
    model = json.loads(library.to_str())["model"]
    symbols = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return symbols, [(left, right) for left, right in model["merges"]]


def merger(symbols: Sequence[str], merges: Sequence[Merge]) -> tokenizers.Tokenizer:
    """The library's object that applies merges.

    Raises:
        DataError: If a merge names or makes a symbol that is not in the vocabulary.
    """
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    try:
        return _pipeline(models.BPE(ids, list(merges)))
    except Exception as error:  # the library raises nothing narrower
        raise DataError(
            f"vocabulary: the merges do not fit the symbols ({error}). Build it anew."
        ) from error


def _pipeline(model: models.BPE) -> tokenizers.Tokenizer:
    """Byte-level words, as GPT-2 cuts them, with each newline a word of its own."""
    library = tokenizers.Tokenizer(model)
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return library
