from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurro.data import (
    read_conll,
    read_conllu,
    read_tagged,
    tagged_lines,
    write_tags,
)
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "tagged.conll"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def row(number, form, upos="X", xpos="XX"):
    return "\t".join([str(number), form, "_", upos, xpos, *"_____"]) + "\n"


TREES = (
    "# text = It don't\n"
    + row(1, "It", "PRON")
    + row("2-3", "don't", "_", "_")
    + row(2, "do", "AUX")
    + row(3, "n't", "PART", "RB")
    + row("3.1", "work", "VERB")
    + "\n# text = a b\n"
    + row("0.1", "and", "CCONJ")
    + row(1, "a b", "NUM")
    + "\n\n"
    + row(1, "#", "SYM")
)


def test_conllu(file):
    sentences = read_conllu(file(TREES))
    assert sentences.words == [["It", "do", "n't"], ["a b"], ["#"]]
    assert sentences.tags == [["PRON", "AUX", "PART"], ["NUM"], ["SYM"]]
    assert len(sentences) == 3
    assert read_conllu(file(TREES), field="xpos").tags[0] == ["XX", "XX", "RB"]


def test_conllu_is_written_back(file, tmp_path):
    sentences = read_conllu(file(TREES))
    out = tmp_path / "out.conllu"
    write_tags(out, sentences, sentences.tags)
    assert out.read_text() == TREES
    write_tags(out, sentences, [["A", "B", "C"], ["D"], ["E"]])
    again = read_conllu(out)
    assert again.words == sentences.words
    assert again.tags == [["A", "B", "C"], ["D"], ["E"]]
    changed = zip(TREES.splitlines(), out.read_text().splitlines(), strict=True)
    assert sum(old != new for old, new in changed) == 5


def test_conllu_without_tags(file, tmp_path):
    path = file(row(1, "It", "_") + row(2, "works", "_"))
    with pytest.raises(DataError, match=r"line 1 of .* must have a tag in the field"):
        read_conllu(path)
    sentences = read_conllu(path, tagged=False)
    assert sentences.tags == []
    write_tags(tmp_path / "out", sentences, [["PRON", "VERB"]])
    assert read_conllu(tmp_path / "out").tags == [["PRON", "VERB"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\tIt\n", "line 1 of .* must have 10 columns parted by tabs, got '1"),
        (
            row(1, "a") + row(3, "b"),
            "line 2 .* must be word 2 of its sentence, got '3'",
        ),
        (row(2, "a"), "must be word 1 of its sentence, got '2'"),
        (row(1, "a") + "\n" + row(2, "b"), "line 3 .* must be word 1"),
        (row(1, "a") + row("1-2", "b"), "line 2 .* must join words from 2 on"),
        (row("2-1", "a"), "must join words from 1 on"),
        (row("x", "a"), "must start with an id such as 1, 1-2 or 1.1, got 'x'"),
        (row(1, " "), "line 1 of .* must have a form"),
        (row(1, "a", ""), "must have a tag in the field upos"),
        ("# nothing\n", "must hold a word, got none"),
        ("\n", "must hold a word, got none"),
    ],
)
def test_bad_conllu(file, text, message):
    with pytest.raises(DataError, match=message):
        read_conllu(file(text))


def test_unknown_field(file, unchecked):
    with pytest.raises(ArgumentError, match="one of upos, xpos, deprel, got 'lemma'"):
        read_conllu(file(TREES), field="lemma")


@pytest.mark.parametrize(
    "text",
    [
        "Ann\tB-x\n#tag\tO\n\t\n#\tO\nß\tB-y\n",
        "\n\nAnn\tB-x\n#tag\tO\n\n\n \n#\tO\nß\tB-y\n\n",
        "# a file of words\nAnn B-x\n#tag O\n\n# two words\n# O\nß  B-y",
        "-DOCSTART-\tO\n\nAnn\tB-x\n#tag\tO\n\n#\tO\n# 7\nß\tB-y\r\n",
    ],
)
def test_columns(file, tmp_path, text):
    sentences = read_conll(file(text))
    assert sentences.words == [["Ann", "#tag"], ["#", "ß"]]
    assert sentences.tags == [["B-x", "O"], ["O", "B-y"]]
    out = tmp_path / "out"
    write_tags(out, sentences, [["A", "B"], ["C", "D"]])
    again = read_conll(out)
    assert again.words == sentences.words
    assert again.tags == [["A", "B"], ["C", "D"]]
    assert out.read_text().count("\n") == len(text.splitlines())


def test_other_columns(file, tmp_path):
    path = file("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n")
    assert read_conll(path, tag_column=-1).tags == [["B-ORG", "O"]]
    sentences = read_conll(path, tag_column=2)
    assert sentences.tags == [["B-NP", "B-VP"]]
    write_tags(tmp_path / "out", sentences, [["O", "O"]])
    assert (tmp_path / "out").read_text() == "EU NNP O B-ORG\nrejects VBZ O O\n"
    untagged = read_conll(path, tag_column=None)
    assert untagged.tags == []
    write_tags(tmp_path / "out", untagged, [["a", "b"]])
    assert (tmp_path / "out").read_text() == (
        "EU NNP B-NP B-ORG a\nrejects VBZ B-VP O b\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Ann\tO\nBo\n",
            "line 2 of .* must have as many columns as the first row, 2, got 'Bo'",
        ),
        ("Ann\tO\nBo\tO\tO\n", "line 2 of .* as the first row, 2, got"),
        ("Ann\tO\n#tag\n", "line 2 of .* as the first row, 2, got"),
        ("Ann\nBo\n", "line 1 of .* must have the columns 1 and 2, got 'Ann'"),
        ("Ann\tO\n\tO\n", "line 2 of .* must not be empty in the columns"),
        ("Ann\tO\nBo\t\n", "line 2 of .* must not be empty in the columns"),
        ("\n \n\t\n", "must hold a word, got none"),
        ("# only words\n", "must hold a word, got none"),
        ("-DOCSTART- O\n", "must hold a word, got none"),
    ],
)
def test_bad_columns(file, text, message):
    with pytest.raises(DataError, match=message):
        read_conll(file(text))


def test_the_kind_of_file_says_how_it_is_read(file, tmp_path):
    trees = tmp_path / "a.conllu"
    trees.write_text(TREES)
    assert read_tagged(trees).tags == read_conllu(trees).tags
    assert read_tagged(trees, "UPOS").tags == read_conllu(trees).tags
    assert read_tagged(trees, "xpos").tags == read_conllu(trees, field="xpos").tags
    two, three = "Ann\tB-a\nran\tO\n", "Ann\tNNP\tB-a\nran\tVBD\tO\n"
    assert read_tagged(file(two)).tags == [["B-a", "O"]]
    assert read_tagged(file(three), "2").tags == [["NNP", "VBD"]]
    assert read_tagged(file(three), "last").tags == [["B-a", "O"]]
    bare = read_tagged(file("Ann\nran\n"), tagged=False)
    assert tagged_lines(bare, [["X", "Y"]]) == ["Ann X", "ran Y"]
    more = read_tagged(file(three), "2", tagged=False)
    assert tagged_lines(more, [["X", "Y"]])[0] == "Ann\tNNP\tB-a\tX"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a\tX\tY\n", None, "column must say which of the 3 columns .* has the tags"),
        ("a\tX\n", "upos", "column must be a number from 2 on, or 'last'.*'upos'"),
        ("a\tX\n", "1", "column must be a number from 2 on"),
    ],
)
def test_a_column_that_must_be_said(file, text, column, message):
    with pytest.raises(ArgumentError, match=message):
        read_tagged(file(text), column)


def test_columns_that_are_not_there(file, tmp_path):
    with pytest.raises(DataError, match=r"line 1 .* must have the columns"):
        read_tagged(file("a\tX\n"), "3")
    (tmp_path / "a.conllu").write_text(TREES)
    with pytest.raises(ArgumentError, match="column must be upos, xpos, deprel"):
        read_tagged(tmp_path / "a.conllu", "lemma")


def test_no_such_file(tmp_path):
    for read in (read_conll, read_conllu):
        with pytest.raises(DataError, match="no file"):
            read(tmp_path / "none.conll")
        with pytest.raises(DataError, match="got a folder"):
            read(tmp_path)


def test_tags_that_do_not_fit(file, tmp_path):
    sentences = read_conll(file("Ann\tO\nBo\tO\n"))
    for tags in ([], [["O"]], [["O", "O"], ["O"]]):
        with pytest.raises(DataError, match="a tag for each word of 1 sentences"):
            write_tags(tmp_path / "out", sentences, tags)
    for tag in ("", "A B", "A\t", " "):
        with pytest.raises(DataError, match=r"one word, got .* for line 2"):
            write_tags(tmp_path / "out", sentences, [["O", tag]])
    assert not (tmp_path / "out").exists()


WORD = st.text(
    st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=5
).filter(lambda word: word.split() == [word] and word != "-DOCSTART-")


@given(
    st.lists(st.lists(st.tuples(WORD, WORD), min_size=1), min_size=1),
    st.sampled_from(["\t", " "]),
)
def test_whatever_is_written_is_read(tmp_path_factory, sentences, separator):
    path = tmp_path_factory.mktemp("conll") / "words"
    lines = [
        "".join(f"{word}{separator}{tag}\n" for word, tag in sentence)
        for sentence in sentences
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    data = read_conll(path)
    assert data.words == [[word for word, _ in s] for s in sentences]
    assert data.tags == [[tag for _, tag in s] for s in sentences]
    write_tags(path, data, data.tags)
    assert path.read_text(encoding="utf-8") == "\n".join(lines)


def test_real_trees(tmp_path):
    path = dataset("ud-english-ewt/en_ewt-ud-dev_head300.conllu")
    trees = read_conllu(path)
    columns = read_conll(dataset("ud-english-ewt/dev.tsv"))
    assert trees.words == columns.words[:300]
    assert trees.tags == columns.tags[:300]
    assert (len(columns), sum(map(len, columns.words))) == (2001, 25147)
    write_tags(tmp_path / "out", trees, trees.tags)
    assert (tmp_path / "out").read_bytes() == path.read_bytes()


def test_real_names():
    train = read_conll(dataset("wnut17/wnut17train.conll"))
    assert len(train) == 3394
    counts = Counter(tag for sentence in train.tags for tag in sentence)
    assert counts["B-person"] == 660
    assert len(counts) == 13
