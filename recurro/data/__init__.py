"""Text, sound, music as data: reading, vocabularies, batches, splits and features."""

from __future__ import annotations

from recurro.data.audio import LogMel, from_mel, resample, to_mel
from recurro.data.batching import (
    Columns,
    chunks,
    columns,
    line_batch,
    line_batches,
    line_groups,
    padding,
    shrink,
)
from recurro.data.calendar import calendar, next_times, season_length_of, with_calendar
from recurro.data.captioned import (
    Captioned,
    read_captioned,
    read_pictures,
    write_captioned,
)
from recurro.data.chaos import LORENZ_EXPONENT, lorenz, mackey_glass
from recurro.data.classes import LabelledItems, read_classes
from recurro.data.conll import (
    TaggedSentences,
    read_conll,
    read_conllu,
    read_tagged,
    tagged_lines,
    write_tags,
)
from recurro.data.corpus import Corpus, build_corpus
from recurro.data.curriculum import (
    Curriculum,
    Exercise,
    draw_addition,
    draw_program,
    present,
)
from recurro.data.drawings import draw_scenes
from recurro.data.files import atomic_write, find_files
from recurro.data.glucose import (
    Patient,
    draw_patients,
    glucose_response,
    glucose_table,
)
from recurro.data.handwriting import draw_lines, write_text
from recurro.data.house_numbers import (
    HouseNumbers,
    digit_parts,
    draw_house_numbers,
)
from recurro.data.labelled import (
    Labelled,
    read_frames,
    read_items,
    read_labelled,
    read_step_numbers,
)
from recurro.data.midi import Note, Score, read_midi, write_midi
from recurro.data.music import as_roll, read_pieces, roll_of, score_of
from recurro.data.numbered_pictures import (
    NumberedPictures,
    as_pictures,
    read_numbered,
)
from recurro.data.numbered_texts import NumberedTexts, liked_posts, paid_adverts
from recurro.data.pairs import pair_batches, pair_groups
from recurro.data.parallel import TextPairs, read_pairs
from recurro.data.pictures import fit_picture, read_picture
from recurro.data.prices import garch_prices, log_returns
from recurro.data.programs import run_program, split_programs
from recurro.data.recordings import (
    RecordingWindows,
    cut_recordings,
    equal_recordings,
)
from recurro.data.reviews import starred_reviews
from recurro.data.sequences import (
    Scaler,
    Sequences,
    encode_texts,
    join_series,
    sequence_batches,
)
from recurro.data.series import Series, SeriesTable, Stamps, cut_table, read_series
from recurro.data.smiles import is_smiles, read_smiles
from recurro.data.spans import (
    Scheme,
    SpanScores,
    allowed_transitions,
    find_scheme,
    find_spans,
    score_spans,
    token_accuracy,
)
from recurro.data.split import hash_split, is_test, tail_start
from recurro.data.spoken import Spoken, load_samples, read_spoken
from recurro.data.steps import Roles, Steps, read_steps
from recurro.data.stories import Story, tell_stories
from recurro.data.stroke_pictures import write_png, write_svg
from recurro.data.strokes import (
    Drawings,
    as_drawing,
    read_drawings,
    strokes_of,
    write_drawings,
)
from recurro.data.summaries import draw_summaries
from recurro.data.svg import read_svg
from recurro.data.synthesis import synthesize
from recurro.data.tables import Table, read_table
from recurro.data.text import (
    TextFilter,
    count_text,
    cut_text,
    read_lines,
    read_text,
    split_lines,
)
from recurro.data.tokens import Tokenizer
from recurro.data.ts import LabelledSeries, read_ts
from recurro.data.variation import Variation, draw_joins, mask_features
from recurro.data.vectors import read_word2vec
from recurro.data.wav import Sound, read_wav, write_wav
from recurro.data.windows import Cut, SeriesScaler, Window, cut_windows, windows

__all__ = [
    "LORENZ_EXPONENT",
    "Captioned",
    "Columns",
    "Corpus",
    "Curriculum",
    "Cut",
    "Drawings",
    "Exercise",
    "HouseNumbers",
    "Labelled",
    "LabelledItems",
    "LabelledSeries",
    "LogMel",
    "Note",
    "NumberedPictures",
    "NumberedTexts",
    "Patient",
    "RecordingWindows",
    "Roles",
    "Scaler",
    "Scheme",
    "Score",
    "Sequences",
    "Series",
    "SeriesScaler",
    "SeriesTable",
    "Sound",
    "SpanScores",
    "Spoken",
    "Stamps",
    "Steps",
    "Story",
    "Table",
    "TaggedSentences",
    "TextFilter",
    "TextPairs",
    "Tokenizer",
    "Variation",
    "Window",
    "allowed_transitions",
    "as_drawing",
    "as_pictures",
    "as_roll",
    "atomic_write",
    "build_corpus",
    "calendar",
    "chunks",
    "columns",
    "count_text",
    "cut_recordings",
    "cut_table",
    "cut_text",
    "cut_windows",
    "digit_parts",
    "draw_addition",
    "draw_house_numbers",
    "draw_joins",
    "draw_lines",
    "draw_patients",
    "draw_program",
    "draw_scenes",
    "draw_summaries",
    "encode_texts",
    "equal_recordings",
    "find_files",
    "find_scheme",
    "find_spans",
    "fit_picture",
    "from_mel",
    "garch_prices",
    "glucose_response",
    "glucose_table",
    "hash_split",
    "is_smiles",
    "is_test",
    "join_series",
    "liked_posts",
    "line_batch",
    "line_batches",
    "line_groups",
    "load_samples",
    "log_returns",
    "lorenz",
    "mackey_glass",
    "mask_features",
    "next_times",
    "padding",
    "paid_adverts",
    "pair_batches",
    "pair_groups",
    "present",
    "read_captioned",
    "read_classes",
    "read_conll",
    "read_conllu",
    "read_drawings",
    "read_frames",
    "read_items",
    "read_labelled",
    "read_lines",
    "read_midi",
    "read_numbered",
    "read_pairs",
    "read_picture",
    "read_pictures",
    "read_pieces",
    "read_series",
    "read_smiles",
    "read_spoken",
    "read_step_numbers",
    "read_steps",
    "read_svg",
    "read_table",
    "read_tagged",
    "read_text",
    "read_ts",
    "read_wav",
    "read_word2vec",
    "resample",
    "roll_of",
    "run_program",
    "score_of",
    "score_spans",
    "season_length_of",
    "sequence_batches",
    "shrink",
    "split_lines",
    "split_programs",
    "starred_reviews",
    "strokes_of",
    "synthesize",
    "tagged_lines",
    "tail_start",
    "tell_stories",
    "to_mel",
    "token_accuracy",
    "windows",
    "with_calendar",
    "write_captioned",
    "write_drawings",
    "write_midi",
    "write_png",
    "write_svg",
    "write_tags",
    "write_text",
    "write_wav",
]
