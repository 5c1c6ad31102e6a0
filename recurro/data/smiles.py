"""Molecules written as SMILES: a parser of the grammar, and a check of valence.

Two levels. *Syntax*: the string follows the grammar of OpenSMILES; parentheses are
balanced, each ring bond is opened and closed once, its two ends agree, and it joins two
atoms that are not joined yet. *Valence*: no atom has more bonds than its element and
charge allow, and aromatic atoms can be given single and double bonds in turn (Kekule).

References:
    OpenSMILES specification 1.0 (2016), http://opensmiles.org/opensmiles.html, sections
    2 (grammar) and 3 (meaning).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from recurro.data.molecule import Atom, Bond, Molecule, valence_faults
from recurro.errors import DataError

__all__ = ["is_smiles", "read_smiles"]

_ELEMENTS = frozenset(
    re.findall(
        "[A-Z][a-z]?",
        "HHeLiBeBCNOFNeNaMgAlSiPSClArKCaScTiVCrMnFeCoNiCuZnGaGeAsSeBrKrRbSrYZrNbMoTcRu"
        "RhPdAgCdInSnSbTeIXeCsBaHfTaWReOsIrPtAuHgTlPbBiPoAtRnFrRaRfDbSgBhHsMtDsRgCnNhFl"
        "McLvTsOgLaCePrNdPmSmEuGdTbDyHoErTmYbLuAcThPaUNpPuAmCmBkCfEsFmMdNoLr",
    )
)
assert len(_ELEMENTS) == 118

_ORGANIC = re.compile(r"Cl|Br|[BCNOPSFI*]|[bcnops]")
"""Atoms that may stand without brackets."""

_BRACKET = re.compile(
    r"""\[
    (?P<isotope>[0-9]+)?
    (?P<symbol>[A-Z][a-z]?|se|as|[bcnops]|\*)
    (?P<chirality>@(?:@|TH[12]|AL[12]|SP[123]|TB(?:1[0-9]|20|[1-9])|
        OH(?:[12][0-9]|30|[1-9]))?)?
    (?:(?P<hydrogens>H)(?P<count>[0-9])?)?
    (?P<charge>\+\+|--|[+-](?:1[0-5]|[0-9])?)?
    (?::(?P<label>[0-9]+))?
    \]""",
    re.VERBOSE,
)

_RING = re.compile(r"[0-9]|%[0-9]{2}")

_ORDERS = {"-": 1.0, "=": 2.0, "#": 3.0, "$": 4.0, ":": 1.5, "/": 1.0, "\\": 1.0}


def read_smiles(text: str) -> Molecule:
    """Parse a SMILES string.

    Args:
        text: One molecule, or several parted by dots, without white space.

    Raises:
        DataError: If it breaks the grammar; the message names the place.

    Example:
        >>> ethanol = read_smiles("CCO")
        >>> [atom.symbol for atom in ethanol.atoms]
        ['C', 'C', 'O']
        >>> len(read_smiles("c1ccccc1").bonds)
        6
        >>> read_smiles("C1C")
        Traceback (most recent call last):
            ...
        recurro.errors.DataError: SMILES 'C1C', character 2: ring bond 1 must be closed.
    """
    return _Parser(text).molecule()


def is_smiles(text: str, *, valence: bool = False) -> bool:
    """Whether a string is SMILES.

    Args:
        text: Any string.
        valence: Whether its valences must be right, too.

    Example:
        >>> is_smiles("C(C)(C)(C)(C)C"), is_smiles("C(C)(C)(C)(C)C", valence=True)
        (True, False)
    """
    try:
        molecule = read_smiles(text)
    except DataError:
        return False
    return not (valence and valence_faults(molecule))


@dataclass(frozen=True)
class _Ring:
    """An open ring bond: the atom, the bond written there, and its place."""

    atom: int
    bond: str
    place: int


@dataclass
class _Parser:
    """Reads a string once, left to right."""

    text: str
    place: int = 0
    atoms: list[Atom] = field(default_factory=list)
    bonds: list[Bond] = field(default_factory=list)
    joined: set[tuple[int, int]] = field(default_factory=set)
    rings: dict[int, _Ring] = field(default_factory=dict)
    branches: list[tuple[int, int]] = field(default_factory=list)

    def molecule(self) -> Molecule:
        """Chain: an atom, its ring bonds, its branches; a bond or a dot; an atom ..."""
        last = self._atom(None, "")
        while self.place < len(self.text):
            if self._at(")"):
                if not self.branches:
                    raise self._fault(
                        "a parenthesis must be opened before it is closed"
                    )
                last = self.branches.pop()[0]
                self.place += 1
                continue
            if self._at("("):
                self.branches.append((last, self.place))
                self.place += 1
            last = self._linked(last)
        if self.branches:
            raise self._fault("a parenthesis must be closed", self.branches[-1][1])
        if self.rings:
            number, ring = next(iter(self.rings.items()))
            raise self._fault(f"ring bond {number} must be closed", ring.place)
        return Molecule(tuple(self.atoms), tuple(self.bonds))

    def _linked(self, last: int) -> int:
        """A bond or a dot or nothing, and the atom behind it."""
        if self._at("."):
            self.place += 1
            return self._atom(None, "")
        return self._atom(last, self._bond())

    def _atom(self, last: int | None, bond: str) -> int:
        """An atom, the bond to the one before, and its ring bonds."""
        found = _ORGANIC.match(self.text, self.place)
        if found:
            symbol = found.group()
            atom = Atom(symbol.capitalize(), symbol.islower())
            self.place = found.end()
        elif self._at("["):
            atom = self._bracket()
        else:
            raise self._fault("an atom must stand here")
        self.atoms.append(atom)
        number = len(self.atoms) - 1
        if last is not None:
            self._join(last, number, bond, self.place)
        self._ring_bonds(number)
        return number

    def _bracket(self) -> Atom:
        """An atom in brackets."""
        found = _BRACKET.match(self.text, self.place)
        if not found:
            raise self._fault(
                "an atom in brackets must be isotope, symbol, chirality, hydrogens, "
                "charge and class, in this order"
            )
        part = found.groupdict()
        symbol = part["symbol"]
        aromatic = symbol.islower()
        if not (aromatic or symbol == "*" or symbol in _ELEMENTS):
            raise self._fault(f"{symbol!r} must be an element")
        if symbol == "H" and part["hydrogens"]:
            raise self._fault("hydrogen must have no hydrogens in its own brackets")
        self.place = found.end()
        return Atom(
            symbol.capitalize(),
            aromatic,
            None if part["isotope"] is None else int(part["isotope"]),
            part["chirality"] or "",
            int(part["count"] or 1) if part["hydrogens"] else 0,
            _charge(part["charge"] or ""),
            None if part["label"] is None else int(part["label"]),
        )

    def _bond(self) -> str:
        """A bond symbol, if one stands here."""
        if self.place < len(self.text) and self.text[self.place] in _ORDERS:
            self.place += 1
            return self.text[self.place - 1]
        return ""

    def _ring_bonds(self, atom: int) -> None:
        """The ring bonds behind an atom: digits, or % and two digits."""
        while True:
            start = self.place
            bond = self._bond()
            found = _RING.match(self.text, self.place)
            if not found:
                if self._at("%"):
                    raise self._fault("two digits must follow %")
                self.place = start
                return
            self.place = found.end()
            number = int(found.group().lstrip("%"))
            if number not in self.rings:
                self.rings[number] = _Ring(atom, bond, start)
                continue
            ring = self.rings.pop(number)
            if bond and ring.bond and _ORDERS[bond] != _ORDERS[ring.bond]:
                raise self._fault(
                    f"the ends of ring bond {number} must agree, got {ring.bond!r} and "
                    f"{bond!r}",
                    start,
                )
            self._join(ring.atom, atom, bond or ring.bond, start)

    def _join(self, first: int, second: int, bond: str, place: int) -> None:
        """A bond between two atoms; without a symbol it is single, or aromatic."""
        if first == second or (first, second) in self.joined:
            raise self._fault(
                "a ring bond must join two atoms that are not joined", place
            )
        both = self.atoms[first].aromatic and self.atoms[second].aromatic
        order = _ORDERS[bond] if bond else 1.5 if both else 1.0
        self.bonds.append(Bond(first, second, order))
        self.joined.add((first, second))

    def _at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.place)

    def _fault(self, what: str, place: int | None = None) -> DataError:
        where = (self.place if place is None else place) + 1
        return DataError(f"SMILES {self.text!r}, character {where}: {what}.")


def _charge(sign: str) -> int:
    """The charge that ``+``, ``--`` or ``+2`` says."""
    if sign in ("++", "--"):
        return 2 if sign == "++" else -2
    size = int(sign[1:]) if sign[1:] else len(sign)
    return -size if sign.startswith("-") else size
