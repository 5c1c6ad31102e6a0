"""The salamander walks, swims and turns, in both forms."""

from __future__ import annotations

import numpy as np
import pytest

from recurro.analysis import salamander, salamander_of_neurons
from recurro.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("compiled")

PHASES, NEURONS = salamander(), salamander_of_neurons()


def test_drive_2_walks():
    gait = PHASES.run(2.0).steady()
    assert gait.frequency() == pytest.approx(0.400, abs=5e-4)
    assert gait.travelling() < 0.15  # a standing wave
    lags = np.abs(gait.lags())
    assert lags[3] > 0.3  # the halves bend against each other
    assert lags[[0, 1, 2, 4, 5, 6]].max() < 0.08
    assert gait.limb_activity() == pytest.approx(2 * (0.131 * 2 + 0.131), abs=1e-4)
    fore, hind = gait.limb_phases[-1, :2], gait.limb_phases[-1, 2:]
    np.testing.assert_allclose(np.cos(fore[0] - fore[1]), -1, atol=1e-6)
    np.testing.assert_allclose(np.cos(fore - hind), -1, atol=1e-6)  # a trot


def test_drive_4_swims():
    gait = PHASES.run(4.0).steady()
    assert gait.frequency() == pytest.approx(1.100, abs=5e-4)
    np.testing.assert_allclose(gait.lags(), 1 / 8, atol=1e-3)
    assert gait.travelling() > 0.99
    assert gait.limb_activity() < 1e-12


@pytest.mark.parametrize(
    ("drive", "frequency"), [(1, 0.2), (3, 0.6), (3.5, 1.0), (5, 1.3)]
)
def test_the_drive_sets_frequency_and_gait(drive, frequency):
    gait = PHASES.run(drive).steady()
    assert gait.frequency() == pytest.approx(frequency, abs=1e-3)
    assert (gait.limb_activity() > 0.1) == (drive <= 3)


@pytest.mark.parametrize("drive", [0.5, 5.5])
def test_out_of_the_range_of_drives_it_is_still(drive):
    gait = PHASES.run(drive).steady()
    assert gait.frequency() == 0
    with pytest.raises(ArgumentError, match="there must be a whole cycle"):
        gait.lags()


def test_neurons_in_mutual_inhibition_swim():
    gait = NEURONS.run(4.0).steady()
    assert 0.9 < gait.frequency() < 1.3
    np.testing.assert_allclose(gait.lags(), 1 / 8, atol=0.0125)
    assert gait.travelling() > 0.9
    sides = gait.body - gait.body.mean(0)
    together = (sides[:, 0] * sides[:, 1]).mean(0)
    assert (together < 0).all()  # left and right take turns
    assert gait.limbs.shape == (1000, 0) and gait.limb_activity() == 0


def test_more_drive_swims_faster():
    slow, fast = (NEURONS.run(d).steady().frequency() for d in (3.0, 5.0))
    assert 1.2 * slow < fast


@pytest.mark.parametrize("generator", [PHASES, NEURONS], ids=lambda g: g.name)
def test_a_stronger_drive_on_one_side_bends_to_it(generator):
    left = generator.run((4.4, 3.6)).steady().bend.mean()
    right = generator.run((3.6, 4.4)).steady().bend.mean()
    assert left > 0.02 and right < -0.02


def test_a_drive_that_changes_goes_from_walking_to_swimming():
    drive = np.repeat([[2.0, 2.0], [4.0, 4.0]], 1000, axis=0)
    gait = PHASES.run(drive)
    assert gait.body.shape == (2000, 2, 8)
    assert gait.steady().steady().frequency() == pytest.approx(1.1, abs=5e-3)


@pytest.mark.slow  # another step is another kernel to compile
def test_a_smaller_step_changes_nothing_that_matters():
    fine = salamander(dt=0.002).run(2.0).steady()
    assert fine.frequency() == pytest.approx(0.400, abs=5e-4)


@pytest.mark.parametrize(
    ("drive", "seconds", "message"),
    [
        (np.zeros((3, 1)), 1, r"drive must be finite, .* got the shape \(3, 1\)"),
        ((1.0, 2.0, 3.0), 1, r"got the shape \(3,\)"),
        (np.nan, 1, "with what is not finite"),
        (2.0, 0, "seconds must be at least dt=0.01, got 0"),
        (2.0, np.inf, "seconds must be at least dt=0.01, got inf"),
    ],
)
def test_bad_drives_are_refused(drive, seconds, message):
    with pytest.raises(ArgumentError, match=message):
        PHASES.run(drive, seconds)
