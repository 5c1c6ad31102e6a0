"""WAV files: one channel of samples in, one channel out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recurro.data.files import atomic_write
from recurro.errors import ArgumentError, DataError

__all__ = ["Sound", "read_wav", "write_wav"]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {_PCM: "pcm", _FLOAT: "float"}
_GUID = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the two bytes of the format in an extensible header."""

_FORMATS = {"pcm8": 8, "pcm16": 16, "pcm24": 24, "pcm32": 32, "float32": 32}
"""What `write_wav` writes, and its bits per sample."""


@dataclass(frozen=True)
class Sound:
    """A recording of one channel.

    Attributes:
        samples: The pressure over time ``(time,)``, float32; full scale is -1 to 1.
        rate: Samples per second, in Hz.
    """

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class _Header:
    """What a format chunk says."""

    kind: str
    channels: int
    rate: int
    bits: int

    @property
    def frame(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


def read_wav(path: Path | str) -> Sound:
    """Read a WAV file; several channels are mixed down to their mean.

    Samples may be whole numbers of 8 (unsigned), 16, 24 or 32 bits or floats of 32 or
    64, under a plain or an extensible header. A whole number n of b bits becomes
    n / 2^(b-1); of 8 bits, (n - 128) / 128. Chunks other than ``fmt`` and ``data``, and
    bytes behind the end that the file states, are passed over.

    Args:
        path: The file.

    Raises:
        DataError: If the file is missing, cut off, empty, damaged or of another kind;
            the message names the file and the byte.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "click.wav")
        ...     write_wav(file, Sound(np.array([0, 0.5, -1], np.float32), 8000))
        ...     read_wav(file).samples
        array([ 0. ,  0.5, -1. ], dtype=float32)

    References:
        IBM and Microsoft (1991), Multimedia Programming Interface and Data
        Specifications 1.0, "Waveform Audio File Format"; RFC 2361 (formats).
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"read_wav: '{path}' must be a readable file: {error.strerror}. Check the "
            "path."
        ) from error
    file = _File(path, content)
    header, data = None, None
    for name, start, size in file.chunks():
        if name == b"fmt ":
            if header is not None:
                raise file.fault(start, "must have one format chunk, got a second")
            header = file.header(start, size)
        elif name == b"data":
            if header is None:
                raise file.fault(start, "must state the format before the samples")
            if data is not None:
                raise file.fault(start, "must have one chunk of samples, got a second")
            data = file.samples(header, start, size)
    if header is None or data is None:
        lacking = "format" if header is None else "samples"
        raise file.fault(len(content), f"must have a chunk with the {lacking}")
    return Sound(data, header.rate)


@dataclass(frozen=True)
class _File:
    """The bytes of a file, and how to complain about them."""

    path: Path | str
    content: bytes

    def fault(self, byte: int, what: str) -> DataError:
        """The error for what is wrong at a byte."""
        return DataError(
            f"read_wav: '{self.path}' {what}, at byte {byte}. Save it again as "
            "uncompressed WAV, or leave it out."
        )

    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        """The name of each chunk, its first byte and its size."""
        content = self.content
        if content[:4] != b"RIFF":
            raise self.fault(0, f"must begin with 'RIFF', got {content[:4]!r}")
        if content[8:12] != b"WAVE":
            raise self.fault(8, f"must have 'WAVE' here, got {content[8:12]!r}")
        stated = 8 + struct.unpack_from("<I", content, 4)[0]
        if not 12 <= stated <= len(content) + 1:  # the last byte may only pad
            raise self.fault(
                4, f"must have {stated} bytes, as it says here, got {len(content)}"
            )
        place, end = 12, min(stated, len(content))
        while place < end:
            if place + 8 > end:
                raise self.fault(place, "must have a chunk's name and size here")
            name, size = struct.unpack_from("<4sI", content, place)
            place += 8
            if place + size > end:
                raise self.fault(
                    place - 4,
                    f"must have the {size} bytes that its chunk {name!r} states, got "
                    f"{end - place}",
                )
            yield name, place, size
            place += size + size % 2

    def header(self, start: int, size: int) -> _Header:
        """Read a format chunk."""
        if size < 16:
            raise self.fault(start, f"must have a format of 16 bytes, got {size}")
        code, channels, rate, _, frame, bits = struct.unpack_from(
            "<HHIIHH", self.content, start
        )
        where = start
        if code == _EXTENSIBLE:
            if size < 40:
                raise self.fault(
                    start, f"must have an extensible format of 40 bytes, got {size}"
                )
            where = start + 24
            code = struct.unpack_from("<H", self.content, where)[0]
            if self.content[where + 2 : where + 16] != _GUID:
                code = None
        if code not in _KINDS:
            got = "an unknown one" if code is None else f"number {code}"
            raise self.fault(where, f"must have samples of format 1 or 3, got {got}")
        return self._checked(start, frame, _Header(_KINDS[code], channels, rate, bits))

    def _checked(self, start: int, frame: int, header: _Header) -> _Header:
        """The header, if its numbers make sense."""
        if header.channels < 1:
            raise self.fault(start + 2, "must have at least one channel, got 0")
        if header.rate < 1:
            raise self.fault(start + 4, "must have a sample rate of 1 Hz up, got 0")
        allowed = (8, 16, 24, 32) if header.kind == "pcm" else (32, 64)
        if header.bits not in allowed:
            raise self.fault(
                start + 14,
                f"must have {header.kind} samples of {', '.join(map(str, allowed))} "
                f"bits, got {header.bits}",
            )
        if frame != header.frame:
            raise self.fault(
                start + 12,
                f"must have {header.frame} bytes for {header.channels} samples of "
                f"{header.bits} bits, got {frame}",
            )
        return header

    def samples(self, header: _Header, start: int, size: int) -> np.ndarray:
        """Read a data chunk: the mean of its channels, float32."""
        if size == 0:
            raise self.fault(start, "must have at least one sample, got none")
        if size % header.frame:
            raise self.fault(
                start + size - size % header.frame,
                f"must have a last sample of {header.frame} bytes, got "
                f"{size % header.frame}",
            )
        raw = np.frombuffer(self.content, np.uint8, size, start)
        samples = _decode(raw, header).reshape(-1, header.channels)
        if not np.isfinite(samples).all():
            first = int(np.argmin(np.isfinite(samples.ravel())))
            raise self.fault(
                start + first * header.bits // 8,
                f"must have finite samples, got {samples.ravel()[first]}",
            )
        return samples.mean(1).astype(np.float32)


def _decode(raw: np.ndarray, header: _Header) -> np.ndarray:
    """Bytes to samples, float64; full scale is -1 to 1."""
    if header.kind == "float":
        return raw.view(f"<f{header.bits // 8}").astype(np.float64)
    if header.bits == 8:
        return (raw.astype(np.float64) - 128) / 128
    size = header.bits // 8
    high = np.zeros((len(raw) // size, 4), np.uint8)
    high[:, 4 - size :] = raw.reshape(-1, size)  # the sign stands in the last byte
    return high.view("<i4")[:, 0] / 2.0**31


def write_wav(path: Path | str, sound: Sound, *, format: str = "pcm16") -> None:
    """Write a WAV file of one channel, whole or not at all.

    Args:
        path: The file; one that is there is replaced.
        sound: The recording. Samples stored as whole numbers are rounded to the
            nearest, and 1 becomes the largest there is.
        format: ``pcm8``, ``pcm16``, ``pcm24``, ``pcm32`` or ``float32``.

    Raises:
        ArgumentError: If the format is another, or the sound has no sample, more than
            one axis, a sample outside -1 to 1 (for floats: not finite) or no rate.

    Example:
        >>> write_wav("loud.wav", Sound(np.array([1.5]), 8000))
        Traceback (most recent call last):
        recurro.errors.ArgumentError: write_wav: samples must lie in -1 to 1, got 1.5 \
at 0. Scale the sound, or write float32.
    """
    if format not in _FORMATS:
        raise ArgumentError(
            f"write_wav: format must be one of {', '.join(_FORMATS)}, got {format!r}. "
            "Use pcm16 for most ends."
        )
    samples = np.asarray(sound.samples, np.float64)
    if samples.ndim != 1 or not len(samples) or not 1 <= sound.rate < 2**32:
        raise ArgumentError(
            "write_wav: the sound must have samples (time,) and a rate of 1 Hz up, got "
            f"{samples.shape} at {sound.rate} Hz. Give one channel."
        )
    bits = _FORMATS[format]
    limit = np.finfo(np.float32).max if format == "float32" else 1
    wrong = ~(np.abs(samples) <= limit)
    if wrong.any():
        raise ArgumentError(
            f"write_wav: samples must lie in -1 to 1, got {samples[wrong][0]} at "
            f"{int(wrong.argmax())}. Scale the sound, or write float32."
        )
    code = _FLOAT if format == "float32" else _PCM
    frame, data = bits // 8, _encode(samples, format)
    data += b"\0" * (len(data) % 2)
    size = len(samples) * frame
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, code, 1, sound.rate),
        *(sound.rate * frame, frame, bits, b"data", size),
    )
    with atomic_write(path) as file:
        file.write(header + data)


def _encode(samples: np.ndarray, format: str) -> bytes:
    """Samples to bytes."""
    if format == "float32":
        return samples.astype("<f4").tobytes()
    bits = _FORMATS[format]
    largest = 2 ** (bits - 1)
    numbers = np.minimum(np.rint(samples * largest), largest - 1).astype("<i4")
    if bits == 8:
        return (numbers + 128).astype(np.uint8).tobytes()
    return numbers.view(np.uint8).reshape(-1, 4)[:, : bits // 8].tobytes()
