"""What a person sees of a run: a table of models, and one page with everything."""

from __future__ import annotations

from recurro.report.chart import Chart, Level, Line
from recurro.report.content import Picture, Report, Sample, read_report
from recurro.report.dynamics import Dynamics, dynamics_of
from recurro.report.html import report_html, write_report
from recurro.report.table import baseline_table, rich_table

__all__ = [
    "Chart",
    "Dynamics",
    "Level",
    "Line",
    "Picture",
    "Report",
    "Sample",
    "baseline_table",
    "dynamics_of",
    "read_report",
    "report_html",
    "rich_table",
    "write_report",
]
