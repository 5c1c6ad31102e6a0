"""Valences: molecules that chemists draw, and some that cannot be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data import read_smiles
from recurro.data.molecule import valence_faults

SOUND = (
    "C CC C=C C#C C#N O=C=O [H][H] [NH4+] [OH-] [BH4-] [CH3-] [Na+].[Cl-] [Fe+2] "
    "S(=O)(=O)O P(=O)(O)(O)O FS(F)(F)(F)(F)F CN(=O)=O C[N+](=O)[O-] [O-][n+]1ccccc1 "
    "O=n1ccccc1 [I-] O=I(=O)O c1ccccc1 c1ccc2ccccc2c1 c1cc2cccc3ccc(c1)c23 [nH]1cccc1 "
    "c1ccoc1 c1ccsc1 n1ccccc1 [cH-]1cccc1 Cn1cnc2c1c(=O)n(C)c(=O)n2C O=c1cc[nH]cc1 "
    "c1cc[o+]cc1 c1nc[nH]n1 C*C [nH+]1ccccc1 O=S1(=O)CCCC1 [13CH4] [CH3] "
    "[13C@@H](N)(O)F c1ccc2[nH]ccc2c1 B(O)(O)c1ccccc1"
)

WRONG = (
    "C(C)(C)(C)(C)C CFC O(C)(C)C [CH5] [NH5+] [OH3] C=C(=C)=C N#CC#C=N CN(C)(C)C "
    "[H]([H])[H] c c1cccc1 n1cccc1 c1cccccc1 cn1cccc1 [Na+].c [BH5-] C1=CC=CC=1=C "
    "[cH]1cccc1 o1ccccc1"
)


@pytest.mark.parametrize("text", SOUND.split())
def test_sound(text):
    assert valence_faults(read_smiles(text)) == []


@pytest.mark.parametrize("text", WRONG.split())
def test_wrong(text):
    assert valence_faults(read_smiles(text))


def test_the_atom_is_named():
    found = valence_faults(read_smiles("CCF(C)"))
    assert found == ["atom 3, F, has 2 bonds"]


@given(
    count=st.integers(3, 9),
    more=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=3),
)
@settings(deadline=None, max_examples=80)
def test_a_kekule_form_is_a_perfect_pairing(count, more):
    """Rings of aromatic carbon with bridges, against all choices of double bonds."""
    bonds = {frozenset((i, (i + 1) % count)) for i in range(count)}
    degree, rings = [2] * count, [[] for _ in range(count)]
    for number, (a, b) in enumerate(more):
        a, b = a % count, b % count
        if a != b and frozenset((a, b)) not in bonds and max(degree[a], degree[b]) < 3:
            bonds.add(frozenset((a, b)))
            degree[a], degree[b] = degree[a] + 1, degree[b] + 1
            rings[a].append(number + 2)
            rings[b].append(number + 2)
    rings[0].append(1)
    rings[-1].append(1)
    text = "".join("c" + "".join(map(str, numbers)) for numbers in rings)
    pairings = itertools.combinations(bonds, count // 2)
    possible = count % 2 == 0 and any(
        len(frozenset().union(*pairing)) == count for pairing in pairings
    )
    assert (valence_faults(read_smiles(text)) == []) == possible
