"""How good the lines are that a model writes: validity, uniqueness, novelty."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from recurro.data import Corpus, Tokenizer, is_smiles
from recurro.tasks.speak import Manner, Voice, speak_batch

__all__ = ["check_lines", "line_figures", "written_figures"]

LOOK = 1000
"""Lines of training at most that are checked before it begins."""


def check_lines(seen: Corpus, tokenizer: Tokenizer, grammar: str | None) -> None:
    """Warn if lines of training do not follow the grammar that written ones must.

    Args:
        seen: The lines; some of them, spread evenly, are checked.
        tokenizer: Their vocabulary.
        grammar: ``smiles``, or ``None``, which all lines follow.
    """
    if grammar is None:
        return
    count = len(seen.starts) - 1
    rows = np.unique(np.linspace(0, count - 1, min(count, LOOK)).astype(int))
    lines = [tokenizer.decode(seen.line(int(row))).rstrip("\n") for row in rows]
    wrong = [line for line in lines if not is_smiles(line)]
    if wrong:
        warnings.warn(
            f"{len(wrong):,} of {len(lines):,} lines that were looked at are no "
            f"SMILES, such as {wrong[0]!r}: the model learns them as they are. Leave "
            "out names and headings, or say --syntax none.",
            stacklevel=2,
        )


def written_figures(
    voice: Voice,
    seen: Corpus,
    grammar: str | None,
    number: int,
    manner: Manner,
) -> dict[str, float]:
    """Let a model of lines write some, and judge them; see ``line_figures``.

    A line that has not ended at twice the longest one of training is cut there.

    Args:
        voice: Who writes.
        seen: The lines that it was trained on.
        grammar: What valid lines follow: ``smiles``, or ``None`` for none.
        number: How many lines are written, at least 1.
        manner: How symbols are chosen.
    """
    length = 2 * int(np.diff(seen.starts).max())
    [said] = speak_batch(voice, [""], length, number, manner)
    return line_figures([one.text for one in said], seen, voice.tokenizer, grammar)


def line_figures(
    texts: Sequence[str],
    seen: Corpus,
    tokenizer: Tokenizer,
    grammar: str | None = None,
) -> dict[str, float]:
    """Judge lines that were written.

    validity = valid lines / lines
    uniqueness = different valid lines / valid lines
    novelty = different valid lines that are not in training / different valid lines

    Without a grammar all lines are valid and validity is left out. Of SMILES validity
    is that of the syntax, ``valence_validity`` counts those whose valences are right
    too, and ``rdkit_validity`` those that RDKit reads, where it is installed. Lines are
    compared as they are written.

    Args:
        texts: The lines, at least one.
        seen: The lines of training.
        tokenizer: Their vocabulary.
        grammar: ``smiles``, or ``None``.

    Returns:
        Shares in 0 to 1; one of nothing is 0.

    References:
        Polykovskiy et al. (2020), Molecular Sets, doi:10.3389/fphar.2020.565644,
        section "Metrics" (valid, unique@k, novelty).
    """
    figures, valid = {}, list(texts)
    if grammar is not None:
        valid = [text for text in texts if is_smiles(text)]
        figures["validity"] = len(valid) / len(texts)
        sound = [text for text in valid if is_smiles(text, valence=True)]
        figures["valence_validity"] = len(sound) / len(texts)
        reads = _rdkit()
        if reads is not None:
            figures["rdkit_validity"] = sum(map(reads, texts)) / len(texts)
    different = set(valid)
    figures["uniqueness"] = len(different) / max(len(valid), 1)
    known = _known(different, seen, tokenizer)
    figures["novelty"] = (len(different) - known) / max(len(different), 1)
    return figures


def _known(texts: set[str], seen: Corpus, tokenizer: Tokenizer) -> int:
    """How many of some different texts are lines of a corpus."""
    kind = seen.ids.dtype
    sought = {tokenizer.encode(text + "\n").astype(kind).tobytes() for text in texts}
    found = set()
    ids, bounds = seen.ids, seen.starts.tolist()
    for start, stop in pairwise(bounds):
        line = ids[start:stop].tobytes()
        if line in sought:
            found.add(line)
    return len(found)


def _rdkit() -> Callable[[str], bool] | None:
    """Whether RDKit reads a molecule; ``None`` where it is not installed."""
    if find_spec("rdkit") is None:
        return None
    from rdkit import Chem, rdBase  # pyright: ignore[reportMissingImports]

    def reads(text: str) -> bool:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(text)
        return molecule is not None and molecule.GetNumAtoms() > 0

    return reads
