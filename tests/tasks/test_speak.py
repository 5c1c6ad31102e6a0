"""Several texts at once, and what may be written in them."""

from __future__ import annotations

import pytest

from recurro.errors import ArgumentError, VocabularyError
from recurro.tasks import LanguageModel

NAMES = ["anna", "bob", "carla", "dora", "emil", "nanna", "bobo", "lea", "abel"] * 9


@pytest.fixture(scope="module")
def names():
    model = LanguageModel(lines=True, hidden_size=16, epochs=2, batch_size=8, seed=1)
    return model.fit(NAMES, NAMES)


def texts(rows):
    return [[one.text for one in row] for row in rows]


def test_a_batch_is_what_each_prompt_gives_alone(names):
    prompts = ["an", "", "b", "do", "c"]
    together = names.generate_batch(prompts, 12, number=2, seed=5, min_length=2)
    assert [len(row) for row in together] == [2] * 5
    for index, prompt in enumerate(prompts):
        for place in range(2):
            seed = 5 + 2 * index + place
            alone = names.generate(prompt, 12, seed=seed, min_length=2)
            assert together[index][place].text == alone
            assert len(alone) >= len(prompt) + 2


def test_beams_give_the_best_of_each_prompt(names):
    together = names.generate_batch(["an", "b"], 6, number=3, beam_size=4)
    for prompt, row in zip(["an", "b"], together, strict=True):
        assert row[0].text == names.generate(prompt, 6, beam_size=4)
        assert len({one.text for one in row}) == len(row) == 3
        log_probs = [one.log_prob for one in row]
        assert log_probs == sorted(log_probs, reverse=True)
        whole = [one for one in row if one.ended]
        both = names.log_prob([one.text for one in whole] + ["anna"])
        begun = names.generate_batch([prompt], 1, beam_size=1)
        assert begun[0][0].text.startswith(prompt)
        assert (both[:-1] < [one.log_prob for one in whole]).all()  # the prompt's own


def test_texts_that_did_not_end_say_so(names):
    said = names.generate_batch([""], 2, number=40, seed=0)[0]
    assert {one.ended for one in said} == {False, True} or not said[0].ended
    for one in said:
        assert one.ended == (len(one.text) < 2)


def test_what_is_forbidden_never_comes(names):
    said = names.generate_batch(["", "a"], 15, number=60, seed=1, forbid=["nn", "b"])
    for one in (text for row in texts(said) for text in row):
        assert "nn" not in one
        assert "b" not in one
    # The first letter may stand in the prompt.
    assert not names.generate("an", 5, forbid=["nn"], seed=1).startswith("ann")
    best = names.generate_batch([""], 8, number=5, beam_size=5, forbid=["a"])
    assert all("a" not in text for text in texts(best)[0])


def test_words_are_forbidden_as_words():
    model = LanguageModel(tokens="word", hidden_size=8, epochs=1, batch_size=2)
    model.fit("the cat sat on the mat and the dog sat too .\n" * 60)
    assert "cat" in model.generate("the", 80, seed=1)
    assert "the cat" not in model.generate("the", 80, seed=1, forbid=["the cat"])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"number": 0}, ArgumentError, "number must be an int >= 1, got 0"),
        (
            {"number": 3, "beam_size": 2},
            ArgumentError,
            "number must be an int in 1 to beam_size=2, got 3",
        ),
        ({"beam_size": 2, "top_k": 1}, ArgumentError, "draws nothing"),
        ({"min_length": 9}, ArgumentError, "at most the length, 5, got 9"),
        ({"forbid": ["Z"]}, VocabularyError, "forbid: .*got 'Z'"),
        ({"forbid": [""]}, ArgumentError, "at least one symbol"),
        ({"forbid": [*"abcdelmnor\nZ"[:-1], "i"]}, ArgumentError, "must leave an id"),
        ({"repetition_penalty": -1.0}, ArgumentError, "finite number > 0, got -1"),
        ({"prompts": ["an\n"]}, ArgumentError, "the beginning of one line, got 'an"),
        ({"prompts": ["an", "Zoe"]}, VocabularyError, "prompt: .*got 'Z'"),
    ],
)
def test_what_is_refused(names, changes, error, message):
    with pytest.raises(error, match=message):
        names.generate_batch(**{"prompts": [""], "length": 5} | changes)


def test_byte_pairs_cannot_be_forbidden():
    model = LanguageModel(tokens="bpe:260", hidden_size=4, epochs=1, batch_size=2)
    model.fit("to be or not to be\n" * 40)
    with pytest.raises(ArgumentError, match="got 'to' for byte pairs"):
        model.generate("to", 5, forbid=["to"])


def test_no_prompts_no_texts(names):
    assert names.generate_batch([], 5) == []
