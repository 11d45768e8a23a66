"""Checkups that break one promise each, and the tests of the contract that must notice."""

from __future__ import annotations

from itertools import count

import pytest

from studbook.domain.errors import ConfigError
from studbook.ports.checkup import Check, Finding, ok, problem
from studbook.ports.contract.checkup import CheckupContract
from studbook.ports.contract.violations import violations


class Good:
    written: list[str]

    def __init__(self) -> None:
        self.written = []

    def checks(self) -> tuple[Check, ...]:
        return (Check("a", lambda: ok("fine")), Check("b", self._raising, needs=("a", "elsewhere")))

    def _raising(self) -> Finding:
        raise ConfigError("no", cure="say yes")


class _TwiceTheName(Good):
    def checks(self) -> tuple[Check, ...]:
        return super().checks() * 2


class _Nameless(Good):
    def checks(self) -> tuple[Check, ...]:
        return (*super().checks(), Check("", lambda: ok("fine")))


class _NeverTheSame(Good):
    _numbers = count()

    def checks(self) -> tuple[Check, ...]:
        return (Check(f"check {next(self._numbers)}", lambda: ok("fine")),)


class _NeedsALaterOne(Good):
    def checks(self) -> tuple[Check, ...]:
        return super().checks()[::-1]


class _NoTime(Good):
    def checks(self) -> tuple[Check, ...]:
        return (Check("a", lambda: ok("fine"), timeout_s=0.0),)


class _VendorError(Good):
    def _raising(self) -> Finding:
        raise OSError("no")


class _SaysNothing(Good):
    def checks(self) -> tuple[Check, ...]:
        return (Check("a", lambda: ok("")),)


class _NoCure(Good):
    def checks(self) -> tuple[Check, ...]:
        return (Check("a", lambda: problem("no", "")),)


class _Writes(Good):
    def _raising(self) -> Finding:
        self.written.append("a file")
        return ok("fine")


BROKEN = {
    _TwiceTheName: "test_there_are_checks_and_each_has_a_name_of_its_own",
    _Nameless: "test_there_are_checks_and_each_has_a_name_of_its_own",
    _NeverTheSame: "test_the_checks_are_the_same_each_time",
    _NeedsALaterOne: "test_what_a_check_needs_is_looked_at_before",
    _NoTime: "test_every_check_ends_in_time",
    _VendorError: "test_every_look_answers_or_raises_our_own_error",
    _SaysNothing: "test_every_look_answers_or_raises_our_own_error",
    _NoCure: "test_who_is_not_well_is_told_a_cure",
    _Writes: "test_a_look_changes_nothing",
}


def broken_promises(kind: type[Good]) -> set[str]:
    made = kind()
    return violations(CheckupContract(), checkup=lambda: made, seen=lambda: lambda: list(made.written))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda kind: kind.__name__)
def test_the_contract_notices(broken: type[Good]) -> None:
    assert BROKEN[broken] in broken_promises(broken)


def test_the_contract_has_nothing_against_a_right_checkup() -> None:
    assert broken_promises(Good) == set()
