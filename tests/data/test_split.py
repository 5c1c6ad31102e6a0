import hashlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.data import hash_split, is_test, read_lines, tail_start
from recurro.errors import ArgumentError
from tests.datasets import dataset


@given(st.text(st.characters(codec="utf-8")))
def test_the_hash_rule(text):
    number = int.from_bytes(hashlib.md5(text.encode()).digest(), "big")
    assert is_test(text) == (number % 10 == 0)


def test_the_hash_of_a_known_string():
    # RFC 1321, A.5: MD5("") = d41d8cd98f00b204e9800998ecf8427e, whose last decimal
    # digit is 6; found by hand for "0".
    assert int("d41d8cd98f00b204e9800998ecf8427e", 16) % 10 == 6
    assert not is_test("")
    assert int("cfcd208495d565ef66e7dff9f98764da", 16) % 10 == 0
    assert is_test("0")


def test_equal_items_are_on_one_side_and_order_stays():
    train, test = hash_split(["0", "1", "0", "2", "4"])
    assert (train, test) == (["1", "2"], ["0", "0", "4"])


def test_about_a_tenth_of_the_names_is_held_out():
    train, test = hash_split(read_lines(dataset("names/names.txt")))
    assert len(train) + len(test) == 30_939
    assert not set(train) & set(test)
    assert 0.09 < len(test) / 30_939 < 0.11


@given(st.integers(0, 10**7), st.integers(0, 999))
def test_the_tail_starts_at_the_exact_place(count, thousandths):
    exact = (1 - Fraction(thousandths, 1000)) * count
    assert tail_start(count, thousandths / 1000) == int(exact)


@pytest.mark.parametrize("fraction", [1.0, -0.1, float("nan")])
def test_a_tail_must_leave_something(fraction):
    with pytest.raises(ArgumentError, match=r"fraction must be in \[0, 1\)"):
        tail_start(10, fraction)
