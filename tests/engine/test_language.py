"""The language of equations is wide enough: cells that are no neural networks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from recurro.baselines import Forward
from recurro.cells import Cell
from recurro.cells.ops import amax, cos, exp, log, sin, sum
from recurro.engine import recurrence, run

RNG = np.random.default_rng(11)
STATES, TIME = 3, 4


def as_tensors(**arrays):
    return {name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}


def test_forward_algorithm_of_a_hidden_markov_model():
    start = RNG.dirichlet(np.ones(STATES))
    transition = RNG.dirichlet(np.ones(STATES), size=STATES)
    b = RNG.random((TIME, STATES))
    likelihood, posterior = 0.0, np.zeros((TIME, STATES))
    for path in itertools.product(range(STATES), repeat=TIME):
        p = start[path[0]] * b[0, path[0]]
        for t in range(1, TIME):
            p *= transition[path[t - 1], path[t]] * b[t, path[t]]
        likelihood += p
        posterior[range(TIME), path] += p

    # one more state, in which every sequence begins and which it never sees again
    whole = np.zeros((STATES + 1, STATES + 1))
    whole[:STATES, :STATES], whole[STATES, :STATES] = transition, start
    part = recurrence(Forward(), {"b": STATES + 1}, STATES + 1)
    emitted = torch.from_numpy(np.pad(b, ((0, 0), (0, 1))))[:, None].requires_grad_()
    begin = torch.eye(STATES + 1, dtype=torch.float64)[-1:]
    state = (begin, torch.zeros(1, 1, dtype=torch.float64))
    result = run(part, as_tensors(U_t=whole.T), emitted, state, return_states=True)
    log_likelihood = result.states[1].log().sum()
    np.testing.assert_allclose(log_likelihood.item(), np.log(likelihood))

    # d log P / d log b is the posterior of the states
    log_likelihood.backward()
    got = (emitted.grad * emitted.detach())[:, 0, :STATES]
    np.testing.assert_allclose(got, posterior / likelihood, rtol=1e-10)


class Partition(Cell):
    """The forward recursion of a linear-chain CRF, in logarithms.

    a_t(j) = e_t(j) + log sum_i exp(a_{t-1}(i) + T(i, j)), with U = exp(T)'
    """

    state = ("a",)
    inputs = ("e",)

    def step(self, e, a):
        top = amax(a)
        return e + top + log(self.affine("t", exp(a - top), bias=False))

    def output(self, a):
        return amax(a) + log(sum(exp(a - amax(a))))


def test_forward_recursion_of_a_conditional_random_field():
    scores = RNG.normal(size=(TIME + 1, STATES)) * 3
    transition = RNG.normal(size=(STATES, STATES)) * 300  # exp() alone overflows
    transition -= transition.max()

    def score(path):
        pairs = itertools.pairwise(path)
        return scores[range(len(path)), path].sum() + np.sum(
            [transition[p] for p in pairs]
        )

    part = recurrence(Partition(), {"e": STATES}, STATES)
    a, e = torch.from_numpy(scores[:1]), torch.from_numpy(scores[1:])[:, None]
    y = run(part, as_tensors(U_t=np.exp(transition).T), e, (a,)).output
    for t in range(1, TIME + 1):
        paths = itertools.product(range(STATES), repeat=t + 1)
        wanted = np.logaddexp.reduce([score(list(path)) for path in paths])
        np.testing.assert_allclose(y[t - 1].item(), wanted, rtol=1e-12)


@dataclass(frozen=True)
class Oscillators(Cell):
    """Amplitude-controlled phase oscillators, a step dt of Euler.

    phase_i' = 2 pi nu_i + sum_j r_j w_ij sin(phase_j - phase_i - phi_ij)
    r_i'' = a (a / 4 (R_i - r_i) - r_i'),  x_i = r_i (1 + cos(phase_i))

    with R read at each step, C = w cos(phi), S = w sin(phi). Ijspeert et al. (2007),
    Science 315, equation 1.
    """

    state = ("phase", "r", "v")
    inputs = ("R",)
    dt: float = 0.01
    a: float = 20.0

    def step(self, R, phase, r, v):
        along, across = r * cos(phase), r * sin(phase)

        def through(name, value):
            return self.affine(name, value, bias=False)

        pull = cos(phase) * (through("C", across) - through("S", along))
        pull = pull - sin(phase) * (through("C", along) + through("S", across))
        speed = 2 * np.pi * self.vector("nu") + pull
        force = self.a * (self.a / 4 * (R - r) - v)
        return phase + self.dt * speed, r + self.dt * v, v + self.dt * force

    def output(self, phase, r, v):
        return r * (1 + cos(phase))


def test_coupled_oscillators():
    n, steps, dt, a = 4, 200, 0.01, 20.0
    w, phi = RNG.random((n, n)) * 5, RNG.normal(size=(n, n))
    nu, target = RNG.random(n), 1 + RNG.random((steps, n))
    start = RNG.normal(size=(3, n))
    phase, r, v = start.copy()
    seen = []
    for t in range(steps):
        speed = [
            2 * np.pi * nu[i]
            + np.sum(
                [
                    r[j] * w[i, j] * np.sin(phase[j] - phase[i] - phi[i, j])
                    for j in range(n)
                ]
            )
            for i in range(n)
        ]
        force = a * (a / 4 * (target[t] - r) - v)
        phase, r, v = phase + dt * np.array(speed), r + dt * v, v + dt * force
        seen.append(r * (1 + np.cos(phase)))

    part = recurrence(Oscillators(), {"R": n}, n)
    assert set(part.shapes()) == {"U_C", "U_S", "nu"}
    stored = as_tensors(U_C=w * np.cos(phi), U_S=w * np.sin(phi), nu=nu)
    state = tuple(torch.from_numpy(s[None]) for s in start)
    result = run(part, stored, torch.from_numpy(target[:, None]), state)
    np.testing.assert_allclose(result.output[:, 0], seen, rtol=1e-9)
    for got, wanted in zip(result.state, (phase, r, v), strict=True):
        np.testing.assert_allclose(got[0], wanted, rtol=1e-9)


class ComplexUnit(Cell):
    """h_t = exp(-d + i w) h_{t-1} + B u_t with complex h and B; its real part shows."""

    state = ("re", "im")

    def step(self, u, re, im):
        size, angle = exp(-self.vector("d")), self.vector("w")
        a, b = size * cos(angle), size * sin(angle)
        drive_re = self.affine("re", u, bias=False)
        drive_im = self.affine("im", u, bias=False)
        return a * re - b * im + drive_re, a * im + b * re + drive_im


def test_complex_diagonal_unit():
    n, steps = 5, 30
    d, w = RNG.random(n), RNG.normal(size=n)
    b = RNG.normal(size=(n, 2)) + 1j * RNG.normal(size=(n, 2))
    u = RNG.normal(size=(steps, 2))
    part = recurrence(ComplexUnit(), 2, n)
    stored = as_tensors(W_re=b.real, W_im=b.imag, d=d, w=w)
    y = run(part, stored, torch.from_numpy(u[:, None])).output
    for t in range(steps):  # the closed form: a sum over the past
        h = np.sum(
            [np.exp((-d + 1j * w) * (t - s)) * (b @ u[s]) for s in range(t + 1)], axis=0
        )
        np.testing.assert_allclose(y[t, 0], h.real, rtol=1e-10, atol=1e-12)
