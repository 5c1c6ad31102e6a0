"""The page of a run: complete, self-contained, and safe with any text in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurro.errors import RunError
from recurro.report import (
    Chart,
    Line,
    Report,
    Sample,
    read_report,
    report_html,
    write_report,
)
from recurro.train import RunFolder

METRICS = [
    {"kind": "train", "step": 50, "epoch": 0, "loss": 3.1, "seconds": 2.0},
    {"kind": "explosion", "step": 60, "epoch": 0, "loss": None, "seconds": 2.5},
    {"kind": "train", "step": 100, "epoch": 0, "loss": 2.2, "seconds": 4.0},
    {
        "kind": "validation",
        "step": 100,
        "epoch": 1,
        "nats_per_token": 2.1,
        "perplexity": 8.166,
        "seconds": 4.5,
    },
    {"kind": "train", "step": 150, "epoch": 1, "loss": 1.9, "seconds": 6.0},
    {
        "kind": "validation",
        "step": 150,
        "epoch": 1,
        "nats_per_token": 2.25,
        "perplexity": 9.488,
        "seconds": 7265.0,
    },
]
ROWS = [
    {"name": "unigram", "nats_per_token": 2.9, "perplexity": 18.2},
    {"name": "network", "nats_per_token": 2.1, "perplexity": 8.166},
]
CONFIG = {"task": "lm", "model": {"cell": {"name": "LSTM"}, "tied": False}}
ENVIRONMENT = {"torch": "2.13.0", "gpu": None}


class Page(HTMLParser):
    """What a browser would make of a page: its tags, and the text of each."""

    VOID = ("meta", "br", "img")

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)
            self.texts.append((tag, ""))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.texts:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)

    def of(self, tag):
        return [text for name, text in self.texts if name == tag]


def full(**changes):
    content = {
        "title": "a run",
        "metrics": METRICS,
        "rows": ROWS,
        "samples": [Sample("temperature 0.5", "to be\nor not")],
        "config": CONFIG,
        "environment": ENVIRONMENT,
    }
    return report_html(Report(**(content | changes)))


def test_page_holds_everything():
    page = Page(full())
    assert page.of("h1") == ["a run"]
    assert page.of("h2") == [
        "Loss",
        "Beside its baselines",
        "Samples",
        "Configuration",
        "Environment",
    ]
    figures = dict(zip(page.of("dt"), page.of("dd"), strict=True))
    assert figures == {
        "best nats per token": "2.100",
        "best perplexity": "8.166",
        "found at update": "100",
        "trained for": "2 h 1 min",
    }
    assert page.of("pre") == ["\nto be\nor not"]
    cells = page.of("td")
    assert cells[:6] == ["unigram", "2.900", "18.200", "network", "2.100", "8.166"]
    assert cells[6:] == ["lm", "no", "LSTM", "2.13.0", "–"]  # noqa: RUF001
    assert {"training", "validation", "baseline", "skipped updates: 1"} <= set(
        page.of("span")
    )
    assert {"updates", "nats per token"} <= set(page.of("text"))
    assert page.tags.count("polyline") == 2
    assert "unigram" in page.of("text")


def test_page_loads_nothing_and_runs_nothing():
    page = Page(full())
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "action", "srcset"}
    assert not any(name.startswith("on") for name in names)
    assert "default-src 'none'" in full()
    assert "url(" not in full()
    assert "@import" not in full()
    assert "http" not in full().replace("http-equiv", "")


def test_page_follows_both_schemes():
    assert "prefers-color-scheme: dark" in full()
    assert ("content", "light dark") in Page(full()).attributes


HOSTILE = "</pre></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


def test_hostile_text_is_text_everywhere():
    validation = {"kind": "validation", "step": 1, HOSTILE: 1.0, "seconds": 1.0}
    page = Page(
        full(
            title=HOSTILE,
            metrics=[*METRICS[:3], validation],
            rows=[{"name": HOSTILE, HOSTILE: HOSTILE}, *ROWS],
            samples=[Sample(HOSTILE, HOSTILE)],
            config={HOSTILE: {HOSTILE: [HOSTILE]}},
            environment={HOSTILE: HOSTILE},
        )
    )
    assert set(page.tags) == set(Page(full()).tags)
    names = {name for name, _ in page.attributes}
    assert names == {name for name, _ in Page(full()).attributes}
    assert page.of("pre") == ["\n" + HOSTILE]
    assert page.of("h1") == [HOSTILE]


@given(st.text())
@settings(max_examples=200)
def test_any_sample_is_shown_as_it_is(text):
    (shown,) = Page(report_html(Report("x", samples=[Sample("y", text)]))).of("pre")
    visible = "".join(
        chr(0x2400 + ord(c)) if ord(c) < 32 and c not in "\t\n" else c for c in text
    )
    assert shown == "\n" + visible.replace("\x7f", "␡")


def test_lone_surrogates_can_be_written():
    assert "a?b" in full(samples=[Sample("x", "a\ud800b")])


def test_a_score_of_another_kind_has_its_own_chart():
    metrics = [*METRICS[:1], {"kind": "validation", "step": 9, "rmse": 2.0}]
    page = Page(full(metrics=metrics))
    assert page.tags.count("svg") == 2
    assert {"loss", "rmse"} <= set(page.of("text"))


def test_empty_report_has_no_empty_sections():
    page = Page(report_html(Report("x")))
    assert page.of("h1") == ["x"]
    assert page.of("h2") == []


def folder(path):
    run = RunFolder.create(path / "names")
    run.write_config(CONFIG)
    return run


def test_writes_what_the_folder_holds(tmp_path):
    run = folder(tmp_path)
    for record in METRICS:
        run.log(record)
    run.write_json("baselines.json", ROWS)
    samples = [Sample("greedy", "Anna\n"), Sample("wild\ud800", "\x00ß漢")]
    page = write_report(run.path, samples=samples)
    assert page == run.path / "report.html"
    text = page.read_text(encoding="utf-8")
    assert text == report_html(read_report(run.path))
    assert Page(text).of("pre") == ["\nAnna\n", "\n␀ß漢"]
    assert json.loads((run.path / "samples.json").read_text()) == [
        {"title": "greedy", "text": "Anna\n"},
        {"title": "wild?", "text": "\x00ß漢"},
    ]
    RunFolder.open(run.path)


def test_pictures_of_the_run_are_in_the_page(tmp_path):
    run = folder(tmp_path)
    (run.path / "attention.svg").write_text("<svg/>")
    (run.path / "look's.png").write_bytes(b"\x89PNG")
    page = Page(write_report(run.path).read_text(encoding="utf-8"))
    shown = [value for name, value in page.attributes if name == "src"]
    assert shown == [
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/png;base64,iVBORw==",
    ]
    assert page.of("figcaption") == ["attention.svg", "look's.png"]
    assert "img-src data:" in report_html(read_report(run.path))


def test_samples_are_kept_until_new_ones_come(tmp_path):
    run = folder(tmp_path)
    write_report(run.path, samples=[Sample("a", "one")])
    write_report(run.path)
    assert [sample.text for sample in read_report(run.path).samples] == ["one"]
    write_report(run.path, samples=[])
    assert read_report(run.path).samples == []


def test_run_that_has_only_begun(tmp_path):
    page = Page(write_report(folder(tmp_path).path).read_text())
    assert page.of("h2") == ["Configuration", "Environment"]


def test_no_run(tmp_path):
    with pytest.raises(RunError, match="must be a run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_run_is_not_reported(tmp_path):
    run = folder(tmp_path)
    (run.path / "config.yaml").write_text("task: other\n")
    with pytest.raises(RunError, match=r"config\.yaml.*changed"):
        write_report(run.path)
    assert not (run.path / "report.html").exists()


def test_charts_come_back_from_the_run(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config({"task": "detect"})
    chart = Chart(
        *("Alerts <here>", [Line("value", [(0, 1.0), (9, 3.0)], peaks=True)]),
        *("steps", "value"),
        marks=[4],
        bands=[(2, 5)],
        marks_name="alert",
        bands_name="known & real",
    )
    write_report(folder.path, charts=[chart])
    page = write_report(folder.path).read_text()
    assert "<h2>Alerts &lt;here&gt;</h2>" in page
    assert 'class="key band">known &amp; real<' in page
    assert chart.svg() in page
    assert 'polyline class="line0"' in page
