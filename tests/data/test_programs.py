from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.data import Curriculum, run_program, split_programs
from recurro.data.programs import ALPHABET
from recurro.errors import DataError

LECTURE = (
    (
        "j=8584\nfor x in range(8):\n    j+=920\nb=(1500+j)\nprint((b+7567))",
        25011,
    ),
    ("i=8827\nc=(i-5347)\nprint((c+8704) if 2641<8500 else 5308)", 12184),
)
"""The two programs of the lecture, and what they print."""


def by_python(text: str) -> int:
    """What Python prints, of a program that the tests made."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(text, {})
    return int(printed.getvalue())


@pytest.mark.parametrize(("text", "answer"), LECTURE)
def test_the_programs_of_the_lecture_run(text, answer):
    assert run_program(text) == by_python(text) == answer


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 8), st.text(max_size=5))
def test_drawn_programs_print_what_python_prints(length, nesting, seed):
    for one in Curriculum("programs", length, nesting, "mix").draw(5, seed, stage=0):
        assert set(one.text) <= set(ALPHABET)
        assert one.answer == str(by_python(one.text))


@settings(max_examples=150, deadline=None)
@given(st.text(ALPHABET, max_size=20))
def test_any_text_runs_as_in_python_or_is_refused(text):
    try:
        found = run_program(f"a=5\nprint({text})")
    except DataError:
        return
    assert found == by_python(f"a=5\nprint({text})")


@pytest.mark.parametrize(
    "text",
    [
        "print(2+3*4-1)",
        "a=3\nfor x in range(a):a-=x\nprint(a)",
        "a=1\nfor x in range(0):a+=5\nprint(a)",
        "a=1\nfor x in range(5):\n  a*=a+x\nprint(x-a)",
        "print(-(3-9))",
        "print(1 if 2>2 else 3 if 4<5 else 6)",
    ],
)
def test_more_than_is_drawn_means_what_it_means_in_python(text):
    assert run_program(text) == by_python(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print(1/2)", r"line 7, column 8: .*got '/', a division"),
        ("a=1\nprint(7%a)", r"line 8, column 8: .*got '%', a division"),
        ("print(é)", r"line 7, column 7: .*small letters.*got 'é'"),
        ("print(A)", r"line 7, column 7: .*got 'A'"),
        ("a=3\nprint(a+b)", r"line 8, column 9: .*assigned before it is read, got 'b'"),
        ("a=3\na=4", r"line 8, column 1: the last line must be print"),
        ("", "line 7, column 1: must print a number, got nothing"),
        ("print((1)", r"line 7, column \d+: must be a program"),
        ("print(1if 2<3 else 4)", "column 7: numbers must be parted .* got '1if'"),
        ("print(0x1f)", "column 7: numbers must be parted"),
        ("print(" + "(" * 900 + "1" + ")" * 900 + ")", "must be a program"),
        ("print(" + "1+" * 4000 + "1)", "must be a program, got too deep"),
        ("print(2**9)", r"column 7: must add, subtract or multiply, got '2 \*\* 9'"),
        ("print(1<2)", "must be numbers, names"),
        ("print(1 if 2 else 3)", "must be numbers, names"),
        ("print(7)\nprint(8)", "must assign, add in a loop, or print at the end"),
        ("a+=1\nprint(a)", "must assign, add in a loop"),
        ("import os\nprint(1)", "must assign, add in a loop"),
        ("a=1\nfor x in range(10001):a+=1\nprint(a)", "at most 10000 times"),
        ("a=2\nfor x in range(999):a*=a\nprint(a)", "at most 100 digits"),
        (f"print({'9' * 101})", "at most 100 digits"),
        (f"print({'9' * 5000})", "must be a program|at most 100 digits"),
        ("print(1)" + " " * 10_000, "at most 10000 symbols"),
    ],
)
def test_what_is_no_program_is_named_by_line_and_column(text, message):
    with pytest.raises(DataError, match=f"(?s)^p.txt, .*{message}"):
        run_program(text, "p.txt", 7)


def test_a_file_of_programs_parts_where_they_print():
    text = "\nprint(1)\na=2\n\nprint(a)  \n\n\n" + LECTURE[0][0]
    assert split_programs(text.splitlines()) == [
        ("print(1)", 2),
        ("a=2\n\nprint(a)", 3),
        (LECTURE[0][0], 8),
    ]


def test_a_file_that_ends_within_a_program_is_refused():
    with pytest.raises(DataError, match=r"^f, line 3: the last .* got 'a=7'"):
        split_programs(["print(1)", "", "a=7"], "f")
    with pytest.raises(DataError, match=r"must hold a program, got none"):
        split_programs(["", ""], "f")
