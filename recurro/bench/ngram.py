"""How well and how fast an n-gram model learns the words of a text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import numpy as np

from recurro.baselines import NGramModel, figures
from recurro.data import Tokenizer, build_corpus, read_text
from recurro.errors import DataError

__all__ = ["NGramRow", "bench_ngram"]

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class NGramRow:
    """One order measured; what is given as speed is the best of some rounds.

    Attributes:
        order: The longest n.
        perplexity: On the test part, unknown words counted as ``<unk>``.
        perplexity_known: Without the unknown words.
        oov: How many words of the test part are unknown.
        tokens: Words and line ends of the test part.
        ngrams: n-grams of all orders in the model.
        train_words: Words of the training part, line ends not counted.
        train_seconds: From the text in memory to the model: vocabulary, ids, estimate.
        tokens_per_second: Scored in one batch.
    """

    order: int
    perplexity: float
    perplexity_known: float
    oov: int
    tokens: int
    ngrams: int
    train_words: int
    train_seconds: float
    tokens_per_second: float


def bench_ngram(
    path: Path | str, orders: Sequence[int] = (3, 5), *, rounds: int = 3
) -> list[NGramRow]:
    r"""Train word models on the first 90 % of the lines of a text, test on the rest.

    As one does with KenLM: lines are stripped, empty ones dropped, words split on white
    space, the end of a line is a token, nothing is pruned, discounts fall back. All
    work is on one thread.

    Args:
        path: The text file.
        orders: The orders to measure, each at least 1.
        rounds: How often each is trained and scored, at least 1.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "text.txt")
        ...     _ = path.write_text("to be\nor not\n" * 20)
        ...     bench_ngram(path, orders=[2], rounds=1)[0].tokens
        12

    Raises:
        DataError: If the text cannot be read or has too few lines for a test part.
    """
    lines = [line for line in "".join(read_text(path)).split("\n") if line.strip()]
    cut = len(lines) * 9 // 10
    if not cut:
        raise DataError(
            f"bench_ngram: '{path}' must have at least two lines of text, got "
            f"{len(lines)}. Name a longer text."
        )
    train, test = ("\n".join(part) + "\n" for part in (lines[:cut], lines[cut:]))
    return [_measure(train, test, order, rounds) for order in orders]


def _measure(train: str, test: str, order: int, rounds: int) -> NGramRow:
    """The row of one order."""

    def learn() -> tuple[Tokenizer, np.ndarray, NGramModel]:
        tokenizer = Tokenizer.fit([train], "word")
        ids = build_corpus([train], tokenizer).ids
        model = NGramModel(tokenizer.size, order, boundary=tokenizer.eos_id)
        return tokenizer, ids, model.fit(ids)

    train_seconds, (tokenizer, ids, model) = _best_time(learn, rounds)
    test_ids = build_corpus([test], tokenizer).ids
    score_seconds, log_probs = _best_time(lambda: model.log_probs(test_ids), rounds)
    found = figures(log_probs, test_ids[1:], tokenizer.unk_id)
    return NGramRow(
        order=order,
        perplexity=found["perplexity"],
        perplexity_known=found["perplexity_known"],
        oov=int(found["oov"]),
        tokens=int(found["tokens"]),
        ngrams=sum(len(table.keys) for table in model.tables_),
        train_words=int((ids != tokenizer.eos_id).sum()),
        train_seconds=train_seconds,
        tokens_per_second=found["tokens"] / score_seconds,
    )


def _best_time(work: Callable[[], _Result], rounds: int) -> tuple[float, _Result]:
    """Seconds of the fastest of some rounds, and what it gave."""
    return min((_clock(work) for _ in range(rounds)), key=itemgetter(0))


def _clock(work: Callable[[], _Result]) -> tuple[float, _Result]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
