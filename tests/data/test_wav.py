"""WAV files against the standard library's reader, and every damaged one by hand."""

from __future__ import annotations

import struct
import warnings
import wave

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from recurro.data import Sound, read_wav, write_wav
from recurro.errors import ArgumentError, DataError
from tests.datasets import dataset

GUID = bytes.fromhex("000000001000800000aa00389b71")
SINE = (0.99 * np.sin(np.arange(101) / 5)).astype(np.float32)


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def fmt(code=1, channels=1, rate=8000, bits=16, frame=None, tail=b""):
    frame = channels * bits // 8 if frame is None else frame
    body = struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits)
    return chunk(b"fmt ", body + tail)


def riff(*chunks):
    return (
        b"RIFF"
        + struct.pack("<I", 4 + len(b"".join(chunks)))
        + b"WAVE"
        + b"".join(chunks)
    )


def extensible(code, bits=16):
    tail = struct.pack("<HHIH", 22, bits, 0, code) + GUID
    return fmt(0xFFFE, bits=bits, tail=tail)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.wav"


@pytest.mark.parametrize(
    ("form", "error"),
    [("pcm8", 2**-8), ("pcm16", 2**-16), ("pcm24", 2**-24), ("pcm32", 2**-25)],
)
def test_round_trip_is_the_nearest_number(file, form, error):
    write_wav(file, Sound(SINE, 16000), format=form)
    back = read_wav(file)
    assert back.rate == 16000
    assert np.abs(back.samples - SINE).max() <= error + 6e-8
    assert back.samples.dtype == np.float32


def test_floats_come_back_as_they_were(file):
    write_wav(file, Sound(SINE * 3, 44100), format="float32")
    np.testing.assert_array_equal(read_wav(file).samples, SINE * 3)


def test_full_scale_and_halves(file):
    sound = Sound(np.array([1, -1, 0.5, 0.0]), 8000)
    write_wav(file, sound)
    with wave.open(str(file)) as other:
        assert other.getparams()[:4] == (1, 2, 8000, 4)
        numbers = np.frombuffer(other.readframes(4), "<i2")
    assert numbers.tolist() == [32767, -32768, 16384, 0]


def test_eight_bits_are_unsigned(file):
    file.write_bytes(riff(fmt(bits=8), chunk(b"data", bytes([0, 128, 255]))))
    assert read_wav(file).samples.tolist() == [-1, 0, 127 / 128]


def test_twenty_four_bits_keep_their_sign(file):
    body = bytes.fromhex("ffff7f 000080 ffffff 000040")
    file.write_bytes(riff(fmt(bits=24), chunk(b"data", body)))
    assert read_wav(file).samples.tolist() == [
        1 - 2**-23,
        -1,
        -(2**-23),
        0.5,
    ]


def test_channels_are_mixed_to_their_mean(file):
    body = np.array([[0.5, 0.0], [-1, 1], [0.25, 0.75]], "<f8").tobytes()
    file.write_bytes(riff(fmt(3, channels=2, bits=64), chunk(b"data", body)))
    assert read_wav(file).samples.tolist() == [0.25, 0, 0.5]


@pytest.mark.parametrize(("code", "bits"), [(1, 16), (1, 24), (3, 32)])
def test_extensible_headers(file, code, bits):
    body = (
        bytes(range(bits // 8 * 2)) if code == 1 else np.array([1, 2], "<f4").tobytes()
    )
    file.write_bytes(riff(extensible(code, bits), chunk(b"data", body)))
    extended = read_wav(file).samples
    file.write_bytes(riff(fmt(code, bits=bits), chunk(b"data", body)))
    np.testing.assert_array_equal(extended, read_wav(file).samples)


def test_other_chunks_padding_and_trailing_bytes_are_passed_over(file):
    data = chunk(b"data", b"\x80\xff\x00")
    content = riff(chunk(b"LIST", b"odd"), fmt(bits=8), data, chunk(b"id3 ", b"x"))
    for tail in (b"", b"trailing"):
        file.write_bytes(content + tail)
        assert read_wav(file).samples.tolist() == [0, 127 / 128, -1]
    file.write_bytes(riff(fmt(bits=8), data)[:-1])  # some leave the last padding out
    assert len(read_wav(file).samples) == 3


def test_recordings_equal_scipy():
    path = dataset("fsdd/7_theo_9.wav")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rate, numbers = wavfile.read(path)
    sound = read_wav(path)
    assert sound.rate == rate == 8000
    np.testing.assert_array_equal(sound.samples, numbers / np.float32(32768))


GOOD = riff(fmt(), chunk(b"data", b"\0\0\1\0"))
DATA = chunk(b"data", b"\0\0\1\0")


@pytest.mark.parametrize(
    ("content", "byte", "words"),
    [
        (b"", 0, "begin with 'RIFF', got b''"),
        (b"RIFX" + GOOD[4:], 0, "'RIFF', got b'RIFX'"),
        (GOOD[:6], 8, "'WAVE' here, got b''"),
        (GOOD[:8] + b"AVI " + GOOD[12:], 8, "got b'AVI '"),
        (GOOD[:-2], 4, "48 bytes, as it says here, got 46"),
        (GOOD[:4] + b"\0\0\0\0" + GOOD[8:], 4, "must have 8 bytes"),
        (GOOD[:4] + b"\xff\xff\xff\xff" + GOOD[8:], 4, "4294967303 bytes"),
        (riff(), 12, "a chunk with the format"),
        (riff(fmt()), 36, "a chunk with the samples"),
        (riff(DATA, fmt()), 20, "state the format before the samples"),
        (riff(fmt(), fmt(), DATA), 44, "one format chunk, got a second"),
        (riff(fmt(), DATA, DATA), 56, "one chunk of samples, got a second"),
        (riff(fmt(), DATA, b"LI"), 48, "a chunk's name and size"),
        (riff(fmt(), b"data\x08\0\0\0\0\0"), 40, "the 8 bytes that its chunk b'data'"),
        (riff(chunk(b"fmt ", b"\1\0\1\0")), 20, "a format of 16 bytes, got 4"),
        (riff(fmt(0xFFFE), DATA), 20, "an extensible format of 40 bytes, got 16"),
        (riff(fmt(7), DATA), 20, "format 1 or 3, got number 7"),
        (riff(extensible(2), DATA), 44, "format 1 or 3, got number 2"),
        (riff(extensible(1)[:-1] + b"\0", DATA), 44, "got an unknown one"),
        (riff(fmt(channels=0), DATA), 22, "at least one channel, got 0"),
        (riff(fmt(rate=0), DATA), 24, "rate of 1 Hz up, got 0"),
        (riff(fmt(bits=12), DATA), 34, "8, 16, 24, 32 bits, got 12"),
        (riff(fmt(3, bits=16), DATA), 34, "float samples of 32, 64 bits, got 16"),
        (riff(fmt(frame=4), DATA), 32, "2 bytes for 1 samples of 16 bits, got 4"),
        (riff(fmt(), chunk(b"data", b"")), 44, "at least one sample, got none"),
        (riff(fmt(), chunk(b"data", b"\0\0\1")), 46, "last sample of 2 bytes, got 1"),
        (
            riff(
                fmt(3, bits=32), chunk(b"data", np.array([0, np.nan], "<f4").tobytes())
            ),
            48,
            "finite samples, got nan",
        ),
    ],
)
def test_damage_is_named_with_its_byte(file, content, byte, words):
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_wav(file)
    message = str(caught.value)
    assert words in message
    assert f"at byte {byte}." in message
    assert str(file) in message
    assert "\n" not in message


@given(
    cut=st.integers(0, len(GOOD)),
    place=st.integers(0, len(GOOD) - 1),
    value=st.integers(0, 255),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_escapes(file, cut, place, value):
    content = bytearray(GOOD)
    content[place] = value
    for damaged in (GOOD[:cut], bytes(content)):
        file.write_bytes(damaged)
        try:
            assert 1 <= len(read_wav(file).samples) <= 4
        except DataError as error:
            assert "at byte" in str(error)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone.wav' must be a readable file: No such"):
        read_wav(tmp_path / "gone.wav")
    with pytest.raises(DataError, match=r"Is a directory|Permission"):
        read_wav(tmp_path)


@pytest.mark.parametrize(
    ("samples", "rate", "form", "words"),
    [
        ([0.0], 8000, "mp3", "format must be one of pcm8"),
        ([], 8000, "pcm16", "got \\(0,\\)"),
        ([[0.0]], 8000, "pcm16", "Give one channel"),
        ([0.0], 0, "pcm16", "at 0 Hz"),
        ([0.0, -1.01], 8000, "pcm16", "got -1.01 at 1"),
        ([np.nan], 8000, "float32", "got nan at 0"),
    ],
)
def test_what_cannot_be_written(file, samples, rate, form, words):
    with pytest.raises(ArgumentError, match=words):
        write_wav(file, Sound(np.array(samples), rate), format=form)
    assert not file.exists()
