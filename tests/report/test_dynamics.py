"""The part of a report that shows the dynamics of a model."""

import torch

from recurro.analysis import inspect
from recurro.cells import LSTM, Linear
from recurro.nn import Recurrent
from recurro.report import Report, dynamics_of, report_html
from recurro.report.dynamics import read_dynamics, write_dynamics
from recurro.report.plane import Plane
from recurro.train import RunFolder


def found(cell, **options):
    return dynamics_of(inspect(Recurrent(cell, 2, 6, **options), torch.randn(60, 2, 2)))


def test_all_is_on_the_page_and_nothing_is_loaded():
    page = report_html(Report("run", dynamics=found(LSTM(), num_layers=2)))
    for heading in (
        *("Dynamics", "Gradient flow: layers, layer 1", "Growth of the linearised"),
        *("How open the gates are", "Recurrent matrices", "Saturation of gates"),
    ):
        assert heading in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "<script" not in page and "nan" not in page.split("<section", 1)[1]


def test_a_run_folder_keeps_it(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config({"task": "lm"})
    dynamics = found(Linear())
    write_dynamics(folder, dynamics)
    again = read_dynamics(RunFolder.open(folder.path))
    assert report_html(Report("a", dynamics=again)) == report_html(
        Report("a", dynamics=dynamics)
    )


def test_names_are_text_of_the_page():
    plane = Plane("<b>", {"<i>": [(0.5, 0.5)]}, "<x>", "y")
    assert "<i>" not in plane.svg() + plane.keys() and "<x>" not in plane.svg()


def test_points_lie_where_they_should():
    """0 in the middle, 1 on the circle; what is not finite is left out."""
    points = [(0.0, 0.0), (1.0, 0.0), (float("inf"), 0.0)]
    svg = Plane("", {"U": points}, "x", "y", circle=True).svg()
    assert svg.count("<circle") == 3  # the unit circle and two dots
    assert 'cx="210.0" cy="170.0"' in svg  # the middle of the frame
    assert Plane("", {"U": points[2:]}, "x", "y").svg() == ""
