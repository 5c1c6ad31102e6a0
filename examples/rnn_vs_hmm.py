"""A recurrent network beside hidden Markov models, on the same text and the same tags.

``python examples/rnn_vs_hmm.py FILE FOLDER PICTURES``: a text, a folder that holds
``train.tsv`` and ``dev.tsv`` (word, tag), and where the pictures go. Without them a few
scenes beside this file are read, no words are tagged and nothing is drawn.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro import (
    LSTM,
    HiddenMarkovModel,
    LanguageModel,
    NGramModel,
    SequenceTagger,
    baseline_table,
)
from recurro.baselines import HMMTagger, MostFrequentTag
from recurro.data import read_tagged

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    text: Path = HERE / "plays.txt"
    tags: Path | None = None
    pictures: Path | None = None
    characters: int = 200_000
    states: tuple[int, ...] = (2, 7, 31, 63)
    iterations: int = 40
    hidden_size: int = 128
    piece: int = 500  # characters of a sequence that a hidden Markov model learns from
    epochs: int = 10
    batch_size: int = 16
    tag_epochs: int = 3


def main(steps: int | None = None, settings: Settings = Settings()) -> None:
    rows, hmm, alphabet, test = read_characters(settings, steps)
    print(baseline_table(rows))
    if settings.tags is not None:
        print(baseline_table(tag_words(settings.tags, settings, steps)))
    if settings.pictures is not None:
        draw(rows, hmm, alphabet, test, settings.pictures)


def read_characters(settings, steps):
    """The last tenth of a text, told by each model from the text before."""
    text = settings.text.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    train, test = text[: min(cut, settings.characters)], text[cut:]
    alphabet = sorted(set(train))
    test = "".join(letter for letter in test if letter in alphabet)
    ids = {letter: number for number, letter in enumerate(alphabet)}
    whole, rest = divmod(len(train), settings.piece)
    pieces = [settings.piece] * whole + [rest]
    x, y = (np.array([ids[letter] for letter in part]) for part in (train, test))

    rows = []
    for order in (1, 2, 3, 5):
        counted = NGramModel(len(alphabet), order).fit(x)
        row = {"perplexity": counted.evaluate(y)["perplexity"]}
        rows.append({"name": f"{order}-gram", **row})
    hmm = HiddenMarkovModel()
    for states in settings.states:
        hmm = HiddenMarkovModel(
            *(states, "categorical"),
            n_features=len(alphabet),
            n_init=1,
            n_iter=steps or settings.iterations,
            tol=1.0,
            emissionprob_prior=1.01,
        ).fit(x, pieces)
        row = {"perplexity": float(np.exp(-hmm.score(y) / len(y)))}
        numbers = hmm.n_parameters
        rows.append({"name": f"HMM, {states} states", **row, "parameters": numbers})
    network = LanguageModel(
        cell=LSTM(),
        hidden_size=settings.hidden_size,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=0.005,
        schedule="cosine",
        max_steps=steps,
    ).fit(train)
    numbers = sum(p.numel() for p in network.network_.parameters())
    row = {"perplexity": network.evaluate(test)["perplexity"], "parameters": numbers}
    return [*rows, {"name": "LSTM", **row}], hmm, alphabet, y


def tag_words(folder, settings, steps):
    """The share of words of the one file that get their true tag, from the other."""
    train, dev = (read_tagged(folder / name, "2") for name in ("train.tsv", "dev.tsv"))
    rows = [
        {
            "name": name,
            "accuracy": model.fit(train.words, train.tags).score(dev.words, dev.tags),
        }
        for name, model in (
            ("most frequent tag", MostFrequentTag()),
            ("HMM, three tags and endings", HMMTagger()),
        )
    ]
    accuracy = plain_hmm(train, dev)
    rows.insert(1, {"name": "HMM, words and two tags", "accuracy": accuracy})
    network = SequenceTagger(epochs=settings.tag_epochs, dropout=0.33, max_steps=steps)
    network.fit(train.words, train.tags)
    figures = network.evaluate(dev.words, dev.tags)
    return [*rows, {"name": "LSTM in both directions", "accuracy": figures["accuracy"]}]


def plain_hmm(train, dev):
    """States are tags, symbols are words that came twice, 0 stands for all others."""
    counts = Counter(word for sentence in train.words for word in sentence)
    often = [word for word, count in counts.items() if count > 1]
    words = {word: number for number, word in enumerate(often, 1)}
    tags = sorted({tag for sentence in train.tags for tag in sentence})

    def end_to_end(part):
        x = [words.get(word, 0) for sentence in part.words for word in sentence]
        states = [tags.index(tag) for sentence in part.tags for tag in sentence]
        lengths = [len(sentence) for sentence in part.words]
        return np.array(x), lengths, np.array(states)

    priors = {"transmat_prior": 2.0, "startprob_prior": 2.0, "emissionprob_prior": 1.01}
    model = HiddenMarkovModel(len(tags), n_features=len(words) + 1, **priors)
    x, lengths, states = end_to_end(train)
    model.fit(x, lengths, states=states)
    x, lengths, states = end_to_end(dev)
    return float((model.predict(x, lengths) == states).mean())


def draw(rows, hmm, alphabet, test, folder):
    """Perplexities as bars; what the states of a model hold, along a piece of text."""
    import matplotlib.pyplot as plt

    figure, area = plt.subplots(figsize=(7, 3.2), layout="constrained")
    names = [row["name"] for row in rows]
    colors = ["C7"] * 4 + ["C0"] * (len(rows) - 5) + ["C3"]
    bars = area.barh(names, [row["perplexity"] for row in rows], color=colors)
    area.bar_label(bars, fmt="%.2f", padding=3)
    area.invert_yaxis()
    area.set_xlabel("perplexity of a character: lower is better")
    area.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "rnn-vs-hmm-text.png", dpi=110)

    piece = test[200:260]
    belief = hmm.filter(test[:260])[200:]
    order = belief.sum(0).argsort()[::-1][:16]
    order = order[np.argsort(belief[:, order].argmax(0))]
    figure, area = plt.subplots(figsize=(9, 4), layout="constrained")
    image = area.imshow(belief[:, order].T, aspect="auto", cmap="Blues", vmin=0, vmax=1)
    signs = [{" ": "␣", "\n": "↵"}.get(alphabet[i], alphabet[i]) for i in piece]
    area.set_xticks(range(len(signs)), signs)
    area.set_yticks(range(len(order)), [likely(hmm, alphabet, s) for s in order])
    area.set_ylabel("the likeliest letters of a state")
    figure.colorbar(image, label="P(state | text up to here)")
    figure.savefig(folder / "rnn-vs-hmm-states.png", dpi=110)


def likely(hmm, alphabet, state):
    """The letters that a state emits most often."""
    best = hmm.emissionprob_[state].argsort()[::-1][:4]
    signs = "".join(alphabet[i] for i in best)
    return signs.replace(" ", "␣").replace("\n", "↵")


if __name__ == "__main__":
    main(settings=Settings(*map(Path, sys.argv[1:4])))
