"""Molecules as graphs, and whether their valences are right."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Atom", "Bond", "Molecule", "valence_faults"]


@dataclass(frozen=True)
class Atom:
    """An atom of a molecule.

    Attributes:
        symbol: Of its element, such as ``Cl``, or ``*`` for any.
        aromatic: Whether it was written in lower case.
        isotope: Its mass number, or ``None``.
        chirality: What was written, such as ``@@``; empty for nothing.
        hydrogens: Those written in the brackets; ``None`` of an atom without brackets,
            which has as many as its valence leaves free.
        charge: In units of the elementary charge.
        label: Its class, after the colon; ``None`` where there is none.
    """

    symbol: str
    aromatic: bool = False
    isotope: int | None = None
    chirality: str = ""
    hydrogens: int | None = None
    charge: int = 0
    label: int | None = None


@dataclass(frozen=True)
class Bond:
    """A bond between two atoms, named by their places in the molecule.

    Attributes:
        first: The atom that was written first.
        second: The other.
        order: 1, 2, 3 or 4; 1.5 if aromatic.
    """

    first: int
    second: int
    order: float = 1.0


@dataclass(frozen=True)
class Molecule:
    """What a SMILES string says.

    Attributes:
        atoms: In the order in which they are written.
        bonds: In the order in which their second ends are written.
    """

    atoms: tuple[Atom, ...]
    bonds: tuple[Bond, ...]


_COLUMNS = {
    3: "B Al Ga In Tl",
    4: "C Si Ge Sn Pb",
    5: "N P As Sb Bi",
    6: "O S Se Te Po",
    7: "F Cl Br I At",
    8: "He Ne Ar Kr Xe Rn",
}
_ELECTRONS = {
    symbol: count for count, names in _COLUMNS.items() for symbol in names.split()
} | {"H": 1}
"""Electrons in the outer shell."""

_VALENCES = dict(
    enumerate([(1,), (2,), (3,), (4,), (3, 5), (2, 4, 6), (1,), (0,)], start=1)
)
"""Bonds of an atom with so many electrons in its outer shell."""

_OWN = {"O": (2,), "I": (1, 3, 5), "At": (1, 3, 5), "Xe": (0, 2, 4, 6)}
"""Where an uncharged element differs from its column."""


def valence_faults(molecule: Molecule) -> list[str]:
    """What is wrong with the valences of a molecule; nothing if all is right.

    An atom may have as many bonds as the highest normal valence of its element
    (OpenSMILES, section 3.1.5); with a charge, as an element with its number of outer
    electrons. Nitrogen may have 5, as there, where all are written (as in a nitro
    group), but not 4. Metals and ``*`` may have any number.
    Aromatic atoms must allow a Kekule form: double bonds among them, at most one at
    each, and one at each that has a valence to fill.

    Args:
        molecule: What is checked.

    Returns:
        One line for each atom with too many bonds, or one that there is no Kekule form.
    """
    used = [float(atom.hydrogens or 0) for atom in molecule.atoms]
    for bond in molecule.bonds:
        order = 1.0 if bond.order == 1.5 else bond.order
        used[bond.first] += order
        used[bond.second] += order
    faults = []
    for number, (atom, bonds) in enumerate(zip(molecule.atoms, used, strict=True)):
        if _too_many(atom, bonds):
            faults.append(f"atom {number + 1}, {atom.symbol}, has {bonds:g} bonds")
    if not faults and not _has_kekule_form(molecule, used):
        faults.append("the aromatic atoms allow no alternating double bonds")
    return faults


def _too_many(atom: Atom, bonds: float) -> bool:
    """Whether an atom has more bonds than it may."""
    allowed = _allowed(atom)
    fifth = atom.symbol == "N" and not atom.aromatic and bonds == 4
    return bool(allowed) and (bonds > allowed[-1] or (fifth and not atom.charge))


def _allowed(atom: Atom) -> tuple[int, ...]:
    """The valences of an atom; none where any number of bonds will do."""
    if atom.charge == 0 and atom.symbol in _OWN:
        return _OWN[atom.symbol]
    if atom.symbol not in _ELECTRONS:
        return ()
    if atom.symbol == "H":
        return (0,) if atom.charge else (1,)
    electrons = _ELECTRONS[atom.symbol] - atom.charge
    if atom.charge and atom.symbol in "BCNOF":  # the second row of the table
        return (min(electrons, 8 - electrons),)
    return _VALENCES.get(electrons, (0,))


def _has_kekule_form(molecule: Molecule, used: list[float]) -> bool:
    """Whether double bonds can be laid on aromatic bonds so that each atom is content.

    The atoms that need one must each find a neighbour, which may be one that can have
    a double bond without needing it.
    """
    needs, takes = set(), set()
    for number, (atom, bonds) in enumerate(zip(molecule.atoms, used, strict=True)):
        if atom.aromatic:
            must, may = _wants_double(atom, int(bonds))
            if must:
                needs.add(number)
            if may:
                takes.add(number)
    near: dict[int, set[int]] = {number: set() for number in takes}
    for bond in molecule.bonds:
        if bond.order == 1.5 and {bond.first, bond.second} <= takes:
            near[bond.first].add(bond.second)
            near[bond.second].add(bond.first)
    return _pair(needs, near)


def _wants_double(atom: Atom, bonds: int) -> tuple[bool, bool]:
    """Whether an aromatic atom needs a double bond, and whether it may have one."""
    allowed = _allowed(atom)
    if not allowed:
        return False, True
    more = bonds + 1
    if atom.hydrogens is None and atom.symbol == "C":
        return bonds <= 3, bonds <= 3  # hydrogens fill up what else is free
    may = more in allowed or (atom.hydrogens is None and more <= allowed[0])
    return may and bonds not in allowed, may


def _pair(needs: set[int], near: dict[int, set[int]]) -> bool:
    """Whether all that need a partner can have one of their own; by trying.

    The one with the fewest possible partners goes first, so that what is forced is
    done without a choice.
    """
    if not needs:
        return True
    first = min(needs, key=lambda number: len(near[number]))
    for other in sorted(near[first]):
        left = {
            number: found - {first, other}
            for number, found in near.items()
            if number not in (first, other)
        }
        if _pair(needs - {first, other}, left):
            return True
    return False
