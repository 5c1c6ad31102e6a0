"""Where gaits carry the body, and the film of it."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from recurro.analysis import Gait, animate, locomotion, salamander
from recurro.errors import ArgumentError, MissingExtraError

pytestmark = pytest.mark.usefixtures("compiled")

SALAMANDER = salamander()


def made(body: np.ndarray) -> Gait:
    """A gait without limbs."""
    nothing = np.zeros((len(body), 0))
    return Gait(0.01, body, nothing, nothing)


def wave(direction: int) -> Gait:
    """A body through which a wave runs tailward (1) or headward (-1)."""
    phase = 2 * np.pi * (0.01 * np.arange(500)[:, None] - direction * np.arange(8) / 8)
    body = 0.3 * (1 + np.stack([np.cos(phase), -np.cos(phase)], 1))
    return made(body)


def test_a_body_at_rest_stays():
    track = locomotion(made(np.ones((50, 2, 8))))
    np.testing.assert_allclose(
        track.joints, np.broadcast_to(track.joints[0], (50, 9 + 1, 2))
    )
    assert track.speed() == 0 and track.turning() == 0


def test_swimming_goes_against_the_wave():
    there, back = locomotion(wave(1)).speed(), locomotion(wave(-1)).speed()
    assert there > 1
    assert back == pytest.approx(-there, rel=0.02)


def test_forces_are_in_balance():
    """A body in a medium without a preferred direction cannot swim."""
    import recurro.analysis.motion as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ACROSS", module.ALONG)
        track = locomotion(wave(1))
    assert abs(track.speed()) < 0.02 * locomotion(wave(1)).speed()


def test_walking_and_swimming_go_forward_and_drives_turn():
    walk, swim = (locomotion(SALAMANDER.run(d).steady()) for d in (2.0, 4.0))
    assert walk.speed() > 0.5 and swim.speed() > 2
    assert walk.standing.any() and not swim.standing.any()
    assert abs(swim.turning()) < 0.01
    left, right = (
        locomotion(SALAMANDER.run(d).steady()) for d in ((4.4, 3.6), (3.6, 4.4))
    )
    assert left.turning() > 0.05 and right.turning() < -0.05


def test_links_keep_their_length():
    joints = locomotion(SALAMANDER.run(4.0, seconds=3)).joints
    np.testing.assert_allclose(np.linalg.norm(np.diff(joints, axis=1), axis=-1), 1)


def test_a_film_has_its_frames(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "walk.gif"
    animate(SALAMANDER.run(2.0, seconds=2), path, seconds=0.4, fps=5)
    with image.open(path) as film:
        assert film.n_frames == 2


def test_bad_films_are_refused(tmp_path, monkeypatch):
    gait = SALAMANDER.run(2.0, seconds=1)
    with pytest.raises(ArgumentError, match=r"must end in \.gif or \.mp4, got"):
        animate(gait, tmp_path / "film.avi")
    with pytest.raises(ArgumentError, match="fps must be >= 1"):
        animate(gait, tmp_path / "film.gif", fps=0)
    with pytest.raises(ArgumentError, match="at least 3 steps, got 1"):
        locomotion(made(np.ones((1, 2, 8))))
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"recurro\[plot\]"):
        animate(gait, tmp_path / "film.gif")
