"""The functions of rendered kernels: accurate, and at the edges as PyTorch's."""

import ctypes
import math
import mmap
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recurro.engine.build
from recurro.engine.build import FLAGS, build, compiler

HEADER = Path(recurro.engine.build.__file__).with_name("kernel.h").read_text()

UNARY = [
    *("exp", "log", "sigmoid", "tanh", "softplus", "sin", "cos"),
    *("sqrt", "floor", "abs", "neg", "relu"),
]
BINARY = ["min", "max", "pow"]

TEXT = (
    "".join(
        f"void each_{name}(const REAL *x, REAL *y, long n) {{\n"
        "  for (long i = 0; i < n; i += LANES)\n"
        f"    v_store(y + i, v_{name}(v_load(x + i)));\n}}\n"
        for name in UNARY
    )
    + "".join(
        f"void each_{name}(const REAL *a, const REAL *b, REAL *y, long n) {{\n"
        "  for (long i = 0; i < n; i += LANES)\n"
        f"    v_store(y + i, v_{name}(v_load(a + i), v_load(b + i)));\n}}\n"
        for name in BINARY
    )
    + """
void each_less(const REAL *a, const REAL *b, REAL *y, long n) {
  for (long i = 0; i < n; i += LANES)
    v_store(y + i, v_select(v_load(a + i) < v_load(b + i), v_load(a + i), v_set(-0.0)));
}
void part(const REAL *x, REAL *y, long n) { v_store_n(y, v_load_n(x, n), n); }
void whole(const REAL *x, REAL *y, long n) { v_store(y, v_load_n(x, n)); }
void first(REAL *y, long n) { v_store(y, v_select(v_first(n), v_set(1), v_set(2))); }
void across(const REAL *x, REAL *y) {
  y[0] = v_sum(v_load(x));
  y[1] = v_amax(v_load(x));
}
"""
)


@dataclass(frozen=True)
class Vectors:
    """A kernel of one number type and width."""

    real: str
    lanes: int

    @property
    def dtype(self):
        return np.dtype(np.float32 if self.real == "float" else np.float64)

    @property
    def text(self):
        return f"#define REAL {self.real}\n#define LANES {self.lanes}\n{HEADER}{TEXT}"

    def __call__(self, name, *operands):
        """Apply a function to arrays of any size."""
        size = len(operands[0])
        padded = [np.ones(size + -size % 16, self.dtype) for _ in operands]
        for whole, x in zip(padded, operands, strict=True):
            whole[:size] = x
        result = np.full_like(padded[0], 77)
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*padded, result)]
        getattr(build(self.text), f"each_{name}")(*pointers, ctypes.c_long(len(result)))
        return result[:size]

    def call(self, name, *arguments):
        """Call a function with arrays and counts as they are."""
        getattr(build(self.text), name)(
            *(
                ctypes.c_long(a)
                if isinstance(a, int)
                else ctypes.c_void_p(a.ctypes.data)
                for a in arguments
            )
        )


WIDTHS = [
    *(Vectors("float", lanes) for lanes in (16, 8, 4)),
    *(Vectors("double", lanes) for lanes in (8, 4, 2)),
]
SINGLES = WIDTHS[:3]
DOUBLES = WIDTHS[3:]

every = pytest.mark.parametrize("vectors", WIDTHS, ids=lambda v: f"{v.real}-{v.lanes}")
singles = pytest.mark.parametrize("vectors", SINGLES, ids=lambda v: f"{v.lanes}")
doubles = pytest.mark.parametrize("vectors", DOUBLES, ids=lambda v: f"{v.lanes}")


def stable_sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, np.ones_like(e)) / (1 + e)


def stable_softplus(x):
    return np.where(x > 20, x, np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


TRUTH = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": stable_sigmoid,
    "tanh": np.tanh,
    "softplus": stable_softplus,
    "sin": np.sin,
    "cos": np.cos,
}

TORCH = {
    **{name: getattr(torch, name) for name in UNARY if name != "softplus"},
    "softplus": torch.nn.functional.softplus,
    "min": torch.minimum,
    "max": torch.maximum,
    "pow": torch.pow,
}


def ulps(found, truth):
    """Errors in units of the last place of float32, and of the true value."""
    place = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    return np.abs(found.astype(np.float64) - truth) / place


EDGES = [
    *(-104, -103.97208, -88.7228, -88, -87.3366, -20, -10, -9.02, -1, -0.5, -0.3466),
    *(0.3466, 0.5, 2**-0.5, 0.41421356, 1, 2**0.5, 9.02, 10, 20, 88.7228, 89),
]
"""Where a formula begins, ends or overflows."""


def sample():
    """Numbers from all float32 bit patterns, and the neighbourhoods of the edges."""
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint32).view(np.float32)
    edges = np.float32(EDGES).view(np.int32)[:, None]
    near = (edges + np.arange(-50, 50, dtype=np.int32)).ravel().view(np.float32)
    return np.concatenate([patterns, near])


@singles
@pytest.mark.parametrize("name", TRUTH)
def test_float32_is_true_to_four_last_places(vectors, name):
    """Subnormal results included; too large and too small ones as they must be."""
    x = sample()
    with np.errstate(all="ignore"):
        truth = TRUTH[name](x.astype(np.float64))
        rounded = truth.astype(np.float32)
    found = vectors(name, x)
    plain = np.isfinite(rounded)
    np.testing.assert_array_equal(found[~plain], rounded[~plain])
    assert plain.sum() > 300_000
    assert ulps(found[plain], truth[plain]).max() <= 4


@doubles
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "cos"])
def test_float64_is_libm(vectors, name):
    x = np.random.default_rng(0).normal(0, 30, 2000)
    x = np.abs(x) if name == "log" else x
    expected = [getattr(math, name)(value) for value in x.tolist()]
    np.testing.assert_array_equal(vectors(name, x), expected)


@doubles
@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_float64_is_true_in_every_digit(vectors, name):
    x = np.concatenate([np.linspace(-740, 720, 5001), np.linspace(-30, 30, 5001)])
    truth = TRUTH[name](x.astype(np.longdouble))
    found = vectors(name, x)
    error = np.abs((found - truth) / np.maximum(truth, np.finfo(float).tiny))
    assert error.max() < 5e-16


SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, -3.5, 20.0, 20.5, 1e-30, -1e-30),
    *(1e30, -1e30, 1e-40, -1e-40, math.inf, -math.inf, math.nan, -math.nan),
]


@every
@pytest.mark.parametrize("name", UNARY)
def test_special_values_are_those_of_pytorch(vectors, name):
    x = np.array(SPECIAL, vectors.dtype)
    if name in ("sin", "cos"):
        x = x[np.abs(x) != 1e30]
    expected = TORCH[name](torch.from_numpy(x)).numpy()
    found = vectors(name, x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-44)
    if name in ("tanh", "sin", "neg", "floor", "sqrt"):
        np.testing.assert_array_equal(
            np.signbit(found[x == 0]), np.signbit(expected[x == 0])
        )


@every
@pytest.mark.parametrize("name", BINARY)
def test_special_pairs_are_those_of_pytorch(vectors, name):
    a, b = (x.ravel() for x in np.meshgrid(*[np.array(SPECIAL, vectors.dtype)] * 2))
    expected = TORCH[name](torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(vectors(name, a, b), expected, rtol=1e-5, atol=1e-44)


@singles
def test_a_nan_of_any_bits_remains_one(vectors):
    bits = np.random.default_rng(1).integers(1, 2**23, 4096).astype(np.uint32)
    sign = np.arange(4096, dtype=np.uint32) % 2 << 31
    x = (bits | 0x7F800000 | sign).view(np.float32)
    for name in UNARY:
        assert np.isnan(vectors(name, x)).all(), name


@every
def test_ranges_hold_to_the_last_bit(vectors):
    x = np.linspace(-50, 50, 400_001).astype(vectors.dtype)
    tanh, sigmoid = vectors("tanh", x), vectors("sigmoid", x)
    assert tanh.max() == 1 and tanh.min() == -1
    assert sigmoid.max() == 1 and sigmoid.min() > 0
    np.testing.assert_array_equal(vectors("tanh", -x), -tanh)
    np.testing.assert_array_equal(vectors("softplus", x)[x > 20], x[x > 20])


def test_flushing_subnormal_numbers_changes_no_other():
    """A kernel runs with them flushed to zero."""
    x = sample()
    x = x[(np.abs(x) > 1e-37) & np.isfinite(x)]
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush")
    try:
        flushed = {name: SINGLES[0](name, x) for name in TRUTH}
    finally:
        torch.set_flush_denormal(False)
    for name, found in flushed.items():
        kept = SINGLES[0](name, x)
        normal = ~(np.abs(kept) < np.finfo(np.float32).tiny)
        np.testing.assert_array_equal(found[normal], kept[normal])


numbers = st.floats(width=32) | st.floats(-30, 30, width=32)


@settings(max_examples=60, deadline=None)
@given(
    vectors=st.sampled_from(WIDTHS),
    pairs=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40),
)
def test_functions_of_random_numbers_are_those_of_pytorch(vectors, pairs):
    a, b = np.array(pairs, vectors.dtype).T.copy()
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(vectors("sqrt", a), np.sqrt(a))
    for name in ("floor", "abs", "neg", "relu"):
        np.testing.assert_array_equal(vectors(name, a), TORCH[name](ta).numpy())
    for name in ("min", "max"):
        np.testing.assert_array_equal(vectors(name, a, b), TORCH[name](ta, tb).numpy())
    less = torch.where(ta < tb, ta, -0.0).numpy()
    np.testing.assert_array_equal(vectors("less", a, b), less)
    for name in ("exp", "log", "sigmoid", "tanh", "softplus"):
        expected = TORCH[name](ta).numpy()
        np.testing.assert_allclose(vectors(name, a), expected, rtol=2e-6, atol=1e-37)


@every
def test_part_of_a_vector_is_read_and_written(vectors):
    x = np.arange(1, vectors.lanes + 1).astype(vectors.dtype)
    for n in range(vectors.lanes + 1):
        y = np.full(vectors.lanes, 99, vectors.dtype)
        vectors.call("part", x, y, n)
        np.testing.assert_array_equal(y, np.where(np.arange(vectors.lanes) < n, x, 99))
        vectors.call("whole", x, y, n)
        np.testing.assert_array_equal(y, np.where(np.arange(vectors.lanes) < n, x, 0))
        vectors.call("first", y, n)
        np.testing.assert_array_equal(y, np.where(np.arange(vectors.lanes) < n, 1, 2))


@every
def test_nothing_is_read_beyond_the_part(vectors):
    """The page that follows may not be touched."""
    libc = ctypes.CDLL(None, use_errno=True)
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    guard = np.frombuffer(pages, vectors.dtype)
    second = guard.ctypes.data + mmap.PAGESIZE
    assert libc.mprotect(ctypes.c_void_p(second), mmap.PAGESIZE, 0) == 0
    middle = len(guard) // 2
    try:
        for n in range(1, vectors.lanes):
            guard[middle - n : middle] = 5
            y = np.zeros(vectors.lanes, vectors.dtype)
            vectors.call("whole", guard[middle - n :], y, n)
            assert y.sum() == 5 * n
            vectors.call("part", y, guard[middle - n :], n)
    finally:
        libc.mprotect(ctypes.c_void_p(second), mmap.PAGESIZE, 3)


@every
def test_sum_and_largest_over_the_lanes(vectors):
    rng = np.random.default_rng(2)
    y = np.empty(2, vectors.dtype)
    for _ in range(50):
        x = rng.normal(size=vectors.lanes).astype(vectors.dtype)
        vectors.call("across", x, y)
        assert y[0] == pytest.approx(x.astype(np.float64).sum(), rel=1e-5, abs=1e-6)
        assert y[1] == x.max()
    for lane in range(vectors.lanes):
        x = np.full(vectors.lanes, -math.inf, vectors.dtype)
        vectors.call("across", x, y)
        assert (y == -math.inf).all()
        x[lane] = math.nan
        vectors.call("across", x, y)
        assert np.isnan(y).all()


@every
def test_the_text_compiles_without_a_warning(vectors, tmp_path):
    source = tmp_path / "kernel.c"
    source.write_text(
        f"#define REAL {vectors.real}\n#define LANES {vectors.lanes}\n{HEADER}"
    )
    flags = [*FLAGS, "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "kernel.so")]
    subprocess.run([*compiler(), *flags, str(source), "-lm"], check=True)
