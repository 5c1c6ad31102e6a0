"""The recursions in each of their forms: C, the loop over the cell, logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.baselines import hmm_recursion, viterbi
from recurro.baselines.hmm_emissions import scale
from recurro.baselines.hmm_recursion import in_logarithms, scaled, width_of
from recurro.errors import BackendError

RNG = np.random.default_rng(0)
STATES, LENGTHS = 5, np.array([17, 0, 1, 40, 20, 3])


def problem():
    start = RNG.dirichlet(np.ones(STATES))
    moves = RNG.dirichlet(np.ones(STATES), STATES)
    return start, moves, RNG.normal(-3, 2, (LENGTHS.sum(), STATES))


@pytest.fixture
def compiled(monkeypatch):
    """Let the engine and Viterbi compile, and forget it afterwards."""
    monkeypatch.setenv("RECURRO_COMPILE", "1")
    viterbi._compiled.cache_clear()
    yield
    viterbi._compiled.cache_clear()


def prepare(logs, states):
    """Likelihoods as `scaled` takes them, and the logs of what they were divided by."""
    b = np.full((len(logs), width_of(states)), -np.inf)
    b[:, :states] = logs
    return b, scale(b)


def exact(start, moves, logs, *, back=True):
    ends = np.cumsum(LENGTHS)
    owns = [slice(e - n, e) for e, n in zip(ends, LENGTHS, strict=True) if n]
    return [in_logarithms(start, moves, logs[own], back=back) for own in owns]


@pytest.mark.parametrize("most", [hmm_recursion.MOST, 50])
def test_scaled_equals_logarithms(monkeypatch, most):
    monkeypatch.setattr(hmm_recursion, "MOST", most)
    check_scaled()


@pytest.mark.usefixtures("compiled")
def test_compiled_equals_logarithms():
    check_scaled()


def check_scaled():
    start, moves, logs = problem()
    b, top = prepare(logs, STATES)
    wanted = exact(start, moves, logs)
    found = scaled(start, moves, b, LENGTHS)
    assert not found.weak.any()
    tops = np.add.reduceat(top, (np.cumsum(LENGTHS) - LENGTHS)[LENGTHS > 0])
    np.testing.assert_allclose(
        found.log_probs[LENGTHS > 0] + tops, [one.log_prob for one in wanted]
    )
    assert found.log_probs[1] == 0
    probs = np.concatenate([one.probs for one in wanted])
    np.testing.assert_allclose(found.probs, probs, atol=1e-12)
    np.testing.assert_allclose(found.moves, sum(one.moves for one in wanted))
    ahead = scaled(start, moves, b, LENGTHS, back=False)
    filtered = np.concatenate(
        [one.probs for one in exact(start, moves, logs, back=False)]
    )
    np.testing.assert_allclose(ahead.probs, filtered, atol=1e-12)
    np.testing.assert_allclose(ahead.log_probs, found.log_probs)


@pytest.mark.usefixtures("compiled")
def test_sequences_that_are_weak_are_left_out_and_spoil_no_others():
    start, moves = np.array([1.0, 0.0]), np.eye(2)
    logs = np.array([[0.0, 0], [-400, 0], [0, -1], [0, 0], [0, -np.inf], [-np.inf, 0]])
    b, _ = prepare(logs, 2)
    found = scaled(start, moves, b, np.array([2, 2, 2]))
    assert found.weak.tolist() == [True, False, True]
    assert found.probs[2:4].tolist() == [[1, 0], [1, 0]]
    assert found.moves.tolist() == [[1, 0], [0, 0]]
    assert in_logarithms(start, moves, logs[:2]).log_prob == -400
    assert in_logarithms(start, moves, logs[4:]).dead == 1


@pytest.mark.usefixtures("compiled")
def test_viterbi_in_c_equals_numpy():
    start, moves, logs = problem()
    start[2] = moves[1, 3] = 0
    logs[20:22] = -np.inf  # within the sequence of 40
    logs[58:60] = 0.0  # ties
    assert viterbi._compiled() is not None
    log_probs, path = viterbi.viterbi(start, moves, logs, LENGTHS)
    with np.errstate(divide="ignore"):
        wanted = viterbi._in_numpy(np.log(start), np.log(moves), logs, LENGTHS)
    np.testing.assert_allclose(log_probs, wanted[0])
    assert path.tolist() == wanted[1].tolist()
    assert log_probs[3] == -np.inf
    assert set(path[18:58]) == {-1}


@pytest.mark.usefixtures("compiled")
def test_without_a_compiler_numpy_runs_and_says_so(monkeypatch):
    def refuse(text):
        raise BackendError("compile: there must be a C compiler, got none.")

    monkeypatch.setattr(viterbi, "build", refuse)
    start, moves, logs = problem()
    with pytest.warns(UserWarning, match=r"got none\. NumPy runs it instead"):
        viterbi.viterbi(start, moves, logs, LENGTHS)
    viterbi.viterbi(start, moves, logs, LENGTHS)  # once is enough
