"""The published figures: the page and the plot are what the data says."""

import json
from pathlib import Path

import pytest

from benchmarks import plot, report
from benchmarks.figures import BY_NAME, FIGURES, Unit
from benchmarks.inside import timing
from coder_ws_runtime.dataclass import replace

RATIO = {
    "seconds": 0.05,
    "baseline_seconds": 0.1,
    "ratio": 0.5,
    "ratio_min": 0.4,
    "ratio_max": 0.6,
    "rounds": 5,
}
MACHINE = {"cores": 2, "memory_gib": 24, "kernel": "6.18", "date": "2026-01-01"}


def test_an_aim_is_reached_or_missed() -> None:
    figure = BY_NAME["first-start"]
    assert report.line(figure, RATIO).endswith("aim 0.8 ratio to the baseline: reached")
    assert report.line(figure, {**RATIO, "ratio": 0.81}).endswith(": missed")


def test_the_doctor_s_day_is_the_mixture_of_its_minutes() -> None:
    """9 of 10 minutes take 20 ms and one takes 120: 30 ms on average."""
    figure = replace(BY_NAME["doctor-metadata"], complete_every=10)
    processor = {"processor_seconds": 0.02, "complete_processor_seconds": 0.12, "complete_seconds": 0.2}
    said = report.line(figure, {**RATIO, **processor})
    assert "; 0.200 s with all checks, each 10th time;" in said
    assert f", {0.03 * 24 * 60:.0f} s a day;" in said


def test_the_plot_has_a_bar_for_each_ratio_and_escapes_its_words() -> None:
    measured = {figure.name: RATIO for figure in FIGURES if figure.unit is Unit.RATIO}
    drawn = plot.draw(measured)
    assert drawn.count("<rect ") == len(measured)
    assert drawn.startswith("<svg ")
    assert "resolve, 1,000 paths" in drawn


def test_the_page_names_what_was_not_measured() -> None:
    page = report.page({"machine": MACHINE, "figures": {"again": RATIO}})
    assert "| `again` |" in page
    assert "Not measured in this run: first-start," in page


def test_what_is_published_is_what_the_data_says() -> None:
    results = json.loads(report.DATA.read_text())
    assert report.PAGE.read_text() == report.page(results)
    assert report.PLOT.read_text() == plot.draw(results["figures"])


@pytest.mark.parametrize(("ratio", "said"), [(0.81, True), (0.8, False)])
def test_the_page_says_why_an_aim_is_missed(
    ratio: float, monkeypatch: pytest.MonkeyPatch, *, said: bool
) -> None:
    figure = replace(BY_NAME["first-start"], obstacle="the interpreter alone takes longer")
    monkeypatch.setattr(report, "FIGURES", (figure,))
    page = report.page({"machine": MACHINE, "figures": {"first-start": {**RATIO, "ratio": ratio}}})
    assert ("- `first-start`: the interpreter alone takes longer" in page) == said


def test_a_published_figure_that_misses_its_aim_says_why() -> None:
    figures = json.loads(report.DATA.read_text())["figures"]
    missed = [one for one in FIGURES if one.name in figures and not report.is_reached(one, figures[one.name])]
    assert [one.name for one in missed if not one.obstacle] == []


def test_a_round_deletes_nothing_that_the_next_one_would_pay_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ext4 looks at each inode that was deleted in the last minutes, for each new file."""
    monkeypatch.setattr(timing, "TREE", tmp_path / "tree")
    monkeypatch.setattr(timing, "VOLUME", tmp_path / "volume")
    for number in range(3):
        timing.fresh()
        assert not list((tmp_path / "tree/home").iterdir())
        assert not list((tmp_path / "volume").iterdir())
        (tmp_path / "tree/home" / f"link{number}").touch()
        (tmp_path / "volume" / f"directory{number}").mkdir()
    for number in range(3):
        assert list(tmp_path.rglob(f"link{number}"))
        assert list(tmp_path.rglob(f"directory{number}"))
    timing.fresh(remove=True)
    assert not list(tmp_path.rglob("link2"))
    assert not list(tmp_path.rglob("directory2"))
