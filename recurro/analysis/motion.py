"""Where a gait carries the body: bending links that push against what they rest on.

The body is a chain of links, one joint to a segment; a joint bends in proportion to
left minus right activity. Links feel a drag that is smaller along them than across, and
a foot that stands holds on. There is no inertia: at each moment the body moves such
that all forces and torques add up to none (Hatton and Choset 2013, IEEE Transactions on
Robotics 29, section II), which is a linear system of three equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurro.analysis.pattern_generator import Gait
from recurro.errors import ArgumentError, MissingExtraError

__all__ = ["Track", "animate", "locomotion"]

BEND = 0.5
"""Radians that a joint bends for each unit of left minus right activity."""

ALONG, ACROSS, FOOT = 1.0, 8.0, 60.0
"""Drag of a link along and across itself, and of a standing foot."""

REACH, SPREAD = 0.9, 0.9
"""How far a foot swings for each unit of amplitude, and how far out it is, in links."""

GIRDLES = (1, 5)
"""The links that bear the fore and hind limbs."""


@dataclass(frozen=True)
class Track:
    """The body over time, lengths in links.

    Attributes:
        dt: Seconds between steps.
        joints: The ends of all links, from the snout ``(time, links + 1, 2)``.
        feet: Where the feet are ``(time, limbs, 2)``.
        standing: Whether a foot holds on ``(time, limbs)``.
        heading: The angle of the body's mean direction, radians, not wrapped.
    """

    dt: float
    joints: np.ndarray
    feet: np.ndarray
    standing: np.ndarray
    heading: np.ndarray

    def speed(self) -> float:
        """Links a second from start to end, along the mean heading."""
        ends = self.joints[[0, -1]].mean(1)
        angle = self.heading.mean()
        ahead = (ends[1] - ends[0]) @ (np.cos(angle), np.sin(angle))
        return float(ahead / (self.dt * (len(self.joints) - 1)))

    def turning(self) -> float:
        """Radians a second by which the heading turns leftward."""
        steps = np.arange(len(self.heading)) * self.dt
        return float(np.polyfit(steps, self.heading, 1)[0])


def locomotion(gait: Gait) -> Track:
    """Let a gait carry the body.

    Args:
        gait: What a pattern generator did.

    Raises:
        ArgumentError: If it has fewer than three steps.

    Example:
        >>> from recurro.analysis.pattern_generator import salamander
        >>> track = locomotion(salamander().run(4.0, seconds=10).steady())
        >>> track.speed() > 0.5
        True
    """
    if len(gait.body) < 3:
        raise ArgumentError(
            f"locomotion: a gait must have at least 3 steps, got {len(gait.body)}."
        )
    angles = np.cumsum(-BEND * gait.bend, axis=1)  # a contracted side is shorter
    angles = np.concatenate([np.zeros((len(angles), 1)), angles], axis=1)
    angles = angles - angles.mean(1, keepdims=True)
    # from the snout tailward, in a frame that heads to the right
    links = -np.stack([np.cos(angles), np.sin(angles)], -1)
    joints = np.concatenate([np.zeros_like(links[:, :1]), np.cumsum(links, 1)], 1)
    joints = joints - joints.mean(1, keepdims=True)
    feet, standing = _feet(gait, joints, angles)
    points = np.concatenate([(joints[:, 1:] + joints[:, :-1]) / 2, feet], 1)
    drag = np.concatenate(
        [_drag(angles), FOOT * standing[..., None, None] * np.eye(2)], 1
    )
    place, heading = _carried(points, drag, gait.dt)
    return Track(
        gait.dt,
        _placed(joints, place, heading),
        _placed(feet, place, heading),
        standing,
        heading,
    )


def _feet(
    gait: Gait, joints: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Feet in the body's frame, and whether they stand: while they swing backward."""
    limbs = gait.limbs.shape[1]
    if not limbs:
        return np.zeros((len(joints), 0, 2)), np.zeros((len(joints), 0), dtype=bool)
    link = np.array(GIRDLES)[np.arange(limbs) // 2]
    side = np.where(np.arange(limbs) % 2, -1, 1)
    hip = (joints[:, link] + joints[:, link + 1]) / 2
    ahead = np.stack([np.cos(angles[:, link]), np.sin(angles[:, link])], -1)
    aside = np.stack([-ahead[..., 1], ahead[..., 0]], -1) * side[:, None]
    phase = gait.limb_phases
    amplitude = gait.limbs / np.maximum(1 + np.cos(phase), 1e-9)
    swing = REACH * amplitude * np.cos(phase) / 0.4 - 0.5 * (amplitude < 0.05)
    standing = (np.sin(phase) > 0) & (amplitude > 0.05)
    return hip + SPREAD * aside + swing[..., None] * ahead, standing


def _drag(angles: np.ndarray) -> np.ndarray:
    """The drag of each link as a matrix ``(time, links, 2, 2)``."""
    along = np.stack([np.cos(angles), np.sin(angles)], -1)
    return (
        ACROSS * np.eye(2) + (ALONG - ACROSS) * along[..., None] * along[..., None, :]
    )


def _carried(
    points: np.ndarray, drag: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Place and heading of the body's frame at each step, from forces in balance."""
    own = np.gradient(points, dt, axis=0)
    spin = np.stack([-points[..., 1], points[..., 0]], -1)  # d point / d angle
    rigid = np.zeros((*points.shape[:2], 2, 3))
    rigid[..., :2], rigid[..., 2] = np.eye(2), spin
    resist = np.einsum("tpia,tpij,tpjb->tab", rigid, drag, rigid)
    push = np.einsum("tpia,tpij,tpj->ta", rigid, drag, own)
    motion = -np.linalg.solve(resist, push[..., None])[..., 0]
    heading = np.concatenate([[0.0], np.cumsum(motion[:-1, 2] * dt)])
    steps = _turned(motion[:, None, :2], heading)[:, 0]
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1] * dt, axis=0)])
    return place, heading


def _turned(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([c * x - s * y, s * x + c * y], -1)


def _placed(points: np.ndarray, place: np.ndarray, heading: np.ndarray) -> np.ndarray:
    return _turned(points, heading) + place[:, None]


def animate(
    gait: Gait,
    path: Path | str,
    *,
    title: str = "",
    seconds: float = 6.0,
    fps: int = 20,
) -> None:
    """Write a film of the body moving, with the activity of its segments beside it.

    Args:
        gait: What a pattern generator did.
        path: The film to write, ``.gif`` or (where ffmpeg is installed) ``.mp4``.
        title: What stands above it.
        seconds: How much of the gait is shown, in real time.
        fps: Frames a second.

    Raises:
        ArgumentError: If the name has another ending, or a number is out of its range.
        MissingExtraError: If matplotlib, or for ``.mp4`` ffmpeg, is not installed.
    """
    writer = _writer(Path(path), fps, seconds)
    track = locomotion(gait)
    frames = np.arange(0, min(len(gait.body), round(seconds / gait.dt)))
    frames = frames[:: max(1, round(1 / (fps * gait.dt)))]
    sheet, update = _scene(gait, track, frames, title)
    with writer.saving(sheet, str(path), 80):
        for frame in frames:
            update(int(frame))
            writer.grab_frame()


def _writer(path: Path, fps: int, seconds: float) -> Any:  # noqa: ANN401 (matplotlib's)
    if path.suffix not in (".gif", ".mp4"):
        raise ArgumentError(
            f"animate: the name must end in .gif or .mp4, got {str(path)!r}."
        )
    if fps < 1 or not seconds > 0:
        raise ArgumentError(
            f"animate: fps must be >= 1 and seconds > 0, got {fps} and {seconds}."
        )
    try:
        from matplotlib.animation import FFMpegWriter, PillowWriter
    except ImportError:
        raise MissingExtraError(
            "animate: matplotlib must be installed, and is not. pip install "
            "'recurro[plot]'."
        ) from None
    if path.suffix == ".gif":
        return PillowWriter(fps=fps)
    if not FFMpegWriter.isAvailable():
        raise MissingExtraError(
            "animate: ffmpeg must be installed for .mp4, and is not. Install it, or "
            "write a .gif."
        )
    return FFMpegWriter(fps=fps)


def _scene(gait: Gait, track: Track, frames: np.ndarray, title: str) -> tuple[Any, Any]:
    """The sheet, and a function that moves it to a step."""
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(8, 3.6), dpi=80, layout="constrained")
    field, waves = sheet.subplots(1, 2, width_ratios=(3, 2))
    shown = track.joints[: frames[-1] + 1]
    low, high = shown.min((0, 1)) - 1.5, shown.max((0, 1)) + 1.5
    field.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    field.set(xticks=[], yticks=[], title=title)
    middle = shown.mean(1)
    field.plot(*middle.T, color="#cccccc", lw=1, zorder=0)
    (spine,) = field.plot([], [], color="#3d6f9e", lw=7, solid_capstyle="round")
    (head,) = field.plot([], [], "o", color="#3d6f9e", ms=11)
    stand, lift = (
        field.plot([], [], "o", color="#d9822b", ms=7, mfc=fill)[0]
        for fill in ("#d9822b", "white")
    )
    times = np.arange(frames[-1] + 1) * gait.dt
    segments = gait.bend.shape[1]
    size = 1.6 * max(np.ptp(gait.bend), 1e-9)
    for k in range(segments):
        waves.plot(times, gait.bend[: len(times), k] / size - k, color="#3d6f9e", lw=1)
    now = waves.axvline(0, color="#d9822b", lw=1.5)
    waves.set(xlabel="seconds", title="left minus right, head to tail")
    waves.set_yticks(-np.arange(segments), [str(k + 1) for k in range(segments)])
    waves.spines[["top", "right"]].set_visible(False)

    sheet.draw_without_rendering()
    sheet.set_layout_engine("none")  # as laid out now, without doing it anew each time

    def update(frame: int) -> None:
        spine.set_data(*track.joints[frame].T)
        head.set_data(*track.joints[frame, :1].T)
        down = track.standing[frame]
        stand.set_data(*track.feet[frame, down].T)
        lift.set_data(*track.feet[frame, ~down].T)
        now.set_xdata([times[frame]] * 2)

    return sheet, update
