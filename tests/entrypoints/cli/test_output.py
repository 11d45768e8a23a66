"""What people see: tables that keep keys whole and numbers aligned, and what a sweep says of its trials."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from studbook.application.notices import SweepProgress
from studbook.entrypoints.cli.output import table
from studbook.entrypoints.cli.progress import progress_note
from studbook.entrypoints.cli.runs import shortened


def lines(*, width: int, whole: tuple[str, ...] = ()) -> list[str]:
    rows: list[list[object]] = [
        ["rk3:0123456789ab", "a name that is long", 9.5],
        ["rk3:ba9876543210", "b", 10.25],
        ["-", "c", None],
    ]
    out = StringIO()
    Console(file=out, width=width).print(table(["key", "name", "value"], rows, whole=whole))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_numbers_stand_at_the_right_edge_and_text_at_the_left() -> None:
    _head, _rule, first, second, third = lines(width=80)
    assert first.endswith("  9.5")
    assert second.endswith(" 10.25")
    assert third.endswith("    -")
    assert len(first) == len(second) == len(third)
    assert second.split()[:2] == ["rk3:ba9876543210", "b"]


def test_a_column_that_is_whole_can_be_copied_from_a_narrow_terminal() -> None:
    assert not any("rk3:0123456789ab" in line for line in lines(width=24))
    assert any("rk3:0123456789ab" in line for line in lines(width=24, whole=("key",)))


def test_failed_trials_are_told_apart_from_those_that_count() -> None:
    states = {"COMPLETE": 9, "PRUNED": 3, "FAILED": 5, "RUNNING": 0}
    progress = SweepProgress("digits", "svm", trials_done=12, trials_total=12, best=0.97, states=states)
    assert progress_note(progress) == "best 0.9700, 3 of them pruned, and 5 failed"
    assert progress_note(SweepProgress("digits", "svm", trials_done=0, trials_total=12)) == ""


def test_what_does_not_fit_a_cell_is_left_out_whole() -> None:
    metrics = [f"latency_{number}_ms=9.455" for number in range(9)]
    shown = shortened(metrics, ", ")
    assert len(shown) <= 103
    assert shown.endswith("_ms=9.455, …")
    assert shortened(metrics[:2], ", ") == "latency_0_ms=9.455, latency_1_ms=9.455"
    assert shortened(["x" * 500], " ") == "x" * 500
