from __future__ import annotations

from recurro.baselines.answers import AnswerGuesses


def test_guesses_of_answers_counted_by_hand() -> None:
    guesses = AnswerGuesses().fit(["7", "12", "-3", "12", "999", "19"])
    found = guesses.predict(["a=40\nprint((8+a))", "print(5)"])
    assert found == {
        "most frequent answer": ["12.", "12."],
        "likeliest symbols": ["12..", "12.."],  # 1: 3 of 6; 2: 2; end: 5
        "last number": ["8.", "5."],
    }
