"""What every Checkup must do.

Subclass `CheckupContract`, override the fixtures, and let pytest collect it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ...domain.errors import StudbookError
from ..checkup import Check, Checkup, Finding, Outcome


class CheckupContract:
    """The promises of the port."""

    @pytest.fixture
    def checkup(self) -> Checkup:
        """The checkup under test."""
        raise NotImplementedError

    @pytest.fixture
    def seen(self) -> Callable[[], object]:
        """Gives what could be changed by looking: files with their content, say."""
        raise NotImplementedError

    def test_there_are_checks_and_each_has_a_name_of_its_own(self, checkup: Checkup) -> None:
        names = [check.name for check in checkup.checks()]
        assert all(names)
        assert sorted(set(names)) == sorted(names)

    def test_the_checks_are_the_same_each_time(self, checkup: Checkup) -> None:
        def rows() -> list[tuple[str, tuple[str, ...], float]]:
            return [(check.name, check.needs, check.timeout_s) for check in checkup.checks()]

        assert rows() == rows()

    def test_what_a_check_needs_is_looked_at_before(self, checkup: Checkup) -> None:
        names = [check.name for check in checkup.checks()]
        for place, check in enumerate(checkup.checks()):
            assert not set(check.needs) & set(names[place:]), check.name

    def test_every_check_ends_in_time(self, checkup: Checkup) -> None:
        assert all(check.timeout_s > 0 for check in checkup.checks())

    def test_every_look_answers_or_raises_our_own_error(self, checkup: Checkup) -> None:
        for check in checkup.checks():
            found = _finding(check)
            assert found.found, check.name

    def test_who_is_not_well_is_told_a_cure(self, checkup: Checkup) -> None:
        for check in checkup.checks():
            found = _finding(check)
            assert found.outcome is Outcome.OK or found.cure, check.name

    def test_a_look_changes_nothing(self, checkup: Checkup, seen: Callable[[], object]) -> None:
        before = seen()
        for check in checkup.checks():
            _finding(check)
        assert seen() == before


def _finding(check: Check) -> Finding:
    try:
        return check.look()
    except StudbookError as error:
        return Finding(Outcome.PROBLEM, error.problem, error.cure)
