"""SMILES: every string of two real lists, drawn molecules, and what is no SMILES."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data import is_smiles, read_smiles
from recurro.data.molecule import Atom, Bond
from recurro.errors import DataError
from tests.datasets import dataset

SIGNS = {1.0: "-", 2.0: "=", 3.0: "#", 4.0: "$", 1.5: ":"}


@st.composite
def bracket_atoms(draw):
    """An atom in brackets, and how it is written."""
    symbol = draw(st.sampled_from(["C", "N", "Cl", "Sc", "Og", "c", "se", "*", "H"]))
    isotope = draw(st.none() | st.integers(0, 300))
    chirality = draw(st.sampled_from(["", "@", "@@", "@TH2", "@SP3", "@TB20", "@OH7"]))
    hydrogens = 0 if symbol == "H" else draw(st.integers(0, 9))
    charge = draw(st.integers(-15, 15))
    label = draw(st.none() | st.integers(0, 999))
    written = (
        f"[{'' if isotope is None else isotope}{symbol}{chirality}"
        + draw(st.sampled_from({0: ["", "H0"], 1: ["H", "H1"]}.get(hydrogens, [""])))
        * (hydrogens < 2 and symbol != "H")
        + f"H{hydrogens}" * (hydrogens > 1)
        + draw(
            st.sampled_from(
                {0: ["", "+0"], 1: ["+", "+1"], -1: ["-", "-1"], 2: ["++", "+2"]}.get(
                    charge, [f"{charge:+d}"]
                )
            )
        )
        + ("" if label is None else f":{label}")
        + "]"
    )
    name, lower = symbol.capitalize(), symbol.islower()
    return written, Atom(name, lower, isotope, chirality, hydrogens, charge, label)


@st.composite
def trees(draw):
    """Atoms, their children, depth first; those that begin anew; pairs for rings."""
    organic = st.sampled_from(["C", "N", "O", "F", "Cl", "Br", "B", "c", "n", "s", "*"])
    simple = organic.map(lambda s: (s, Atom(s.capitalize(), s.islower())))
    kinds = draw(st.lists(simple | bracket_atoms(), min_size=1, max_size=12))
    count = len(kinds)
    parent = [draw(st.integers(0, i - 1)) if i else -1 for i in range(count)]
    apart = {i for i in range(1, count) if draw(st.integers(0, 9)) == 0}
    # Numbered as they are written: depth first.
    children = {i: [j for j in range(count) if parent[j] == i] for i in range(count)}
    order, stack = [], [0]
    while stack:
        order.append(stack.pop())
        stack += reversed(children[order[-1]])
    place = {node: number for number, node in enumerate(order)}
    joined = {frozenset((i, parent[i])) for i in range(1, count) if i not in apart}
    pairs = [(a, b) for a in order for b in order if place[a] < place[b]]
    free = [pair for pair in pairs if frozenset(pair) not in joined]
    rings = (
        draw(st.lists(st.sampled_from(free), unique=True, max_size=4)) if free else []
    )
    return kinds, {node: children[node] for node in order}, apart, rings


@st.composite
def molecules(draw):
    """One way to write a tree of atoms with ring bonds, its atoms and its bonds.

    The writer knows nothing of the parser: it goes down the tree, the last child on the
    main chain and the others in branches, and gives each open ring a free number.
    """
    kinds, children, apart, rings = draw(trees())
    order = list(children)
    place = {node: number for number, node in enumerate(order)}

    def sign(first, second):
        """The order of a bond, and how it may be written."""
        both = kinds[first][1].aromatic and kinds[second][1].aromatic
        usual = 1.5 if both else 1.0
        value = draw(st.sampled_from([usual, usual, 1.0, 2.0, 3.0, 4.0, 1.5]))
        ways = [SIGNS[value]] + [""] * (value == usual) + ["/", "\\"] * (value == 1.0)
        return value, draw(st.sampled_from(ways)), usual

    bonds, numbers, used = [], {}, set()

    def write(node):
        text = kinds[node][0]
        for ring in [ring for ring in rings if ring[1] == node]:
            number, value, way, usual = numbers.pop(ring)
            used.discard(number)
            ways = [SIGNS[value], *([""] if way or value == usual else [])]
            text += draw(st.sampled_from(ways)) + shown(number)
            bonds.append(Bond(place[ring[0]], place[node], value))
        for ring in [ring for ring in rings if ring[0] == node]:
            number = draw(
                st.sampled_from([n for n in (0, 1, 2, 9, 10, 57, 99) if n not in used])
            )
            used.add(number)
            value, way, usual = sign(*ring)
            numbers[ring] = (number, value, way, usual)
            text += way + shown(number)
        for child in children[node]:
            if child in apart:
                link = "."
            else:
                value, link, _ = sign(node, child)
                bonds.append(Bond(place[node], place[child], value))
            inner = link + write(child)
            text += inner if child == children[node][-1] else f"({inner})"
        return text

    def shown(number):
        short = number < 10 and draw(st.booleans())
        return str(number) if short else f"%{number:02d}"

    text = write(0)
    return text, tuple(kinds[node][1] for node in order), bonds


@given(molecules())
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(drawn):
    text, atoms, bonds = drawn
    found = read_smiles(text)
    assert found.atoms == atoms
    assert sorted(found.bonds, key=key) == sorted(bonds, key=key)


def key(bond):
    return bond.first, bond.second, bond.order


@given(molecules(), st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_broken_is_refused(drawn, data):
    text = drawn[0]
    breaks = ["({})", "{}(", "{})", "{}=", "{}.", "{}()", "{}9C", "{}[", "({}", "{}%1"]
    assert not is_smiles(data.draw(st.sampled_from(breaks)).format(text))
    marks = [i for i, sign in enumerate(text) if sign in "()[]"]
    if marks:
        place = data.draw(st.sampled_from(marks))
        assert not is_smiles(text[:place] + text[place + 1 :])


@given(st.text("CNcn()[]12%=#.+-@H/", max_size=12))
@settings(deadline=None, max_examples=150)
def test_any_text_is_read_or_refused_in_one_sentence(text):
    try:
        molecule = read_smiles(text)
    except DataError as error:
        assert str(error).startswith(f"SMILES {text!r}, character ")
        assert str(error).count("\n") == 0
    else:
        assert len(molecule.atoms) >= 1
        assert text.count("(") == text.count(")")


@pytest.mark.parametrize("name", ["qm9_dev.smi", "muv_head20000.smi"])
def test_real_molecules(name):
    """A part of each list; the slow test reads all."""
    lines = (dataset("smiles") / name).read_text().split()
    for line in lines[:: len(lines) // 200]:
        assert is_smiles(line, valence=True), line


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qm9_dev.smi", "muv_head20000.smi"])
def test_all_real_molecules(name):
    lines = (dataset("smiles") / name).read_text().split()
    assert [line for line in lines if not is_smiles(line, valence=True)] == []


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        ("", 1, "an atom must stand here"),
        ("C((C))", 3, "an atom must stand here"),
        ("C()", 3, "an atom must stand here"),
        ("CC(C", 3, "a parenthesis must be closed"),
        ("CC)C", 3, "must be opened before"),
        ("C1CC", 2, "ring bond 1 must be closed"),
        ("C%12CC1", 2, "ring bond 12 must be closed"),
        ("CC%1", 3, "two digits must follow %"),
        ("C-1CC=1", 6, "the ends of ring bond 1 must agree, got '-' and '='"),
        ("C11", 3, "join two atoms that are not joined"),
        ("C1C1", 4, "join two atoms that are not joined"),
        ("C12CC12", 7, "join two atoms that are not joined"),
        ("C(C)1CC1", 5, "an atom must stand here"),
        ("C..C", 3, "an atom must stand here"),
        ("C=", 3, "an atom must stand here"),
        ("CXC", 2, "an atom must stand here"),
        ("C C", 2, "an atom must stand here"),
        ("[Xx]", 1, "'Xx' must be an element"),
        ("[HH]", 1, "hydrogen must have no hydrogens"),
        ("[CH3", 1, "an atom in brackets must be"),
        ("[C+16]", 1, "an atom in brackets must be"),
        ("[C@OH31]", 1, "an atom in brackets must be"),
        ("[H3C]", 1, "an atom in brackets must be"),
    ],
)
def test_a_fault_is_named_with_its_place(text, place, fault):
    with pytest.raises(DataError) as caught:
        read_smiles(text)
    assert str(caught.value).startswith(f"SMILES {text!r}, character {place}: ")
    assert fault in str(caught.value)


def test_agreeing_ring_bonds():
    assert read_smiles("C=1CC=1") == read_smiles("C=1CC1") == read_smiles("C1CC=1")
    assert read_smiles("C=1CC=1").bonds[-1] == Bond(0, 2, 2.0)
    assert read_smiles("c1ccccc1").bonds[-1] == Bond(0, 5, 1.5)
    assert read_smiles("c1ccccc1C").bonds[-1].order == 1.0
    assert read_smiles("C1.C1") == read_smiles("CC")
