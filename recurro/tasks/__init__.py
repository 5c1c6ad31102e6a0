"""Tasks: what a person trains, judges and uses, with the verbs of scikit-learn."""

from __future__ import annotations

from recurro.tasks.by_class import ClassLanguageModel
from recurro.tasks.captioner import Captioner
from recurro.tasks.classifier import SequenceClassifier
from recurro.tasks.config import LanguageSettings
from recurro.tasks.detector import AnomalyDetector
from recurro.tasks.forecaster import Forecaster
from recurro.tasks.glimpse_reader import GlimpseReader
from recurro.tasks.labeler import FrameLabeler
from recurro.tasks.language_model import LanguageModel
from recurro.tasks.music import MusicModel
from recurro.tasks.ngram import NGramLanguageModel
from recurro.tasks.painter import Painter
from recurro.tasks.programs import ProgramExecutor
from recurro.tasks.regressor import SequenceRegressor
from recurro.tasks.speech import SpeechRecognizer
from recurro.tasks.strokes import StrokeModel
from recurro.tasks.tagger import SequenceTagger
from recurro.tasks.translator import Translator

__all__ = [
    "AnomalyDetector",
    "Captioner",
    "ClassLanguageModel",
    "Forecaster",
    "FrameLabeler",
    "GlimpseReader",
    "LanguageModel",
    "LanguageSettings",
    "MusicModel",
    "NGramLanguageModel",
    "Painter",
    "ProgramExecutor",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "SpeechRecognizer",
    "StrokeModel",
    "Translator",
]
