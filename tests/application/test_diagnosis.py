"""Checks that find, fail, hang or build on each other: one row each, whatever the others do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from studbook.application.diagnosis import Diagnose, Diagnosis
from studbook.domain.errors import ConfigError, TrackingDenied
from studbook.ports.checkup import Check, Checkup, Finding, Outcome, ok, problem, warning


@dataclass(frozen=True)
class Part:
    given: tuple[Check, ...]

    def checks(self) -> tuple[Check, ...]:
        return self.given


def diagnosed(*checks: Check) -> Diagnosis:
    return Diagnose([("part", lambda: Part(checks))])()


def outcomes(found: Diagnosis) -> list[tuple[str, str]]:
    return [(row.check, row.outcome) for row in found.rows]


def denied() -> Finding:
    raise TrackingDenied("no entry for u with password=hunter2", cure="ask http://u:hunter2@host")


def broken() -> Finding:
    raise ZeroDivisionError("token=hunter2")


@pytest.fixture
def endless() -> Iterator[Callable[[], Finding]]:
    """A look that lasts as long as the test."""
    over = threading.Event()

    def look() -> Finding:
        over.wait()
        return ok("at last")

    yield look
    over.set()


def test_every_check_has_a_row_in_the_order_of_the_parts() -> None:
    first = Part((Check("a", lambda: ok("fine")), Check("b", lambda: warning("hm", "look"))))
    second = Part((Check("c", lambda: ok("fine")),))
    found = Diagnose([("one", lambda: first), ("two", lambda: second)])()
    assert outcomes(found) == [("a", "ok"), ("b", "warning"), ("c", "ok")]
    assert (found.rows[1].found, found.rows[1].cure) == ("hm", "look")


@pytest.mark.parametrize(("outcome", "attention"), [(ok("x"), False), (warning("x", "y"), False)])
def test_only_a_problem_needs_attention(outcome: Finding, attention: bool) -> None:
    assert diagnosed(Check("a", lambda: outcome)).needs_attention is attention
    assert diagnosed(Check("a", lambda: outcome), Check("b", lambda: problem("x", "y"))).needs_attention


def test_a_check_that_raises_is_a_problem_and_hides_no_other() -> None:
    found = diagnosed(Check("a", denied), Check("b", broken), Check("c", lambda: ok("fine")))
    assert outcomes(found) == [("a", "problem"), ("b", "problem"), ("c", "ok")]
    assert found.rows[0].found.startswith("no entry")
    assert "unexpected ZeroDivisionError" in found.rows[1].found


def test_no_secret_of_an_error_is_shown() -> None:
    said = repr(diagnosed(Check("a", denied), Check("b", broken)))
    assert "hunter2" not in said
    assert said.count("***") == 3


def test_a_check_without_end_is_given_up(endless: Callable[[], Finding]) -> None:
    found = diagnosed(Check("a", endless, timeout_s=0.01), Check("b", lambda: ok("fine")))
    assert outcomes(found) == [("a", "problem"), ("b", "ok")]
    assert found.rows[0].found == "no answer within 0.01 s"


def test_a_check_is_not_made_when_what_it_needs_is_broken() -> None:
    made = []

    def look() -> Finding:
        made.append("b")
        return ok("fine")

    checks = (Check("a", lambda: problem("x", "y")), Check("b", look, needs=("unknown", "a")))
    found = diagnosed(*checks)
    assert outcomes(found) == [("a", "problem"), ("b", "warning")]
    assert found.rows[1].found == "not looked at, because of the problem with a"
    assert made == []
    assert outcomes(diagnosed(Check("a", lambda: warning("x", "y")), checks[1]))[1] == ("b", Outcome.OK)


def test_a_part_that_cannot_be_made_is_a_row_of_its_own() -> None:
    def unsupported() -> Checkup:
        raise ConfigError("no adapter", cure="another target")

    found = Diagnose([("backend", unsupported), ("x", lambda: Part((Check("a", lambda: ok("fine")),)))])()
    assert outcomes(found) == [("backend", "problem"), ("a", "ok")]
    assert found.rows[0].cure == "another target"
