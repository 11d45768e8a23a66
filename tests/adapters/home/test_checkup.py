"""A home as a folder: there or not, writable or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faults.folder_state import state_of
from studbook.adapters.home.checkup import HomeCheckup
from studbook.ports.checkup import Checkup, Finding, Outcome
from studbook.ports.contract.checkup import CheckupContract


def found(home: Path, name: str) -> Finding:
    return next(check.look() for check in HomeCheckup(home).checks() if check.name == name)


class TestAHomeThatIsThere(CheckupContract):
    @pytest.fixture
    def checkup(self, tmp_path: Path) -> Checkup:
        (tmp_path / "home" / "journal").mkdir(parents=True)
        return HomeCheckup(tmp_path / "home")

    @pytest.fixture
    def seen(self, tmp_path: Path) -> Callable[[], object]:
        return state_of(tmp_path)


class TestAHomeThatIsNot(TestAHomeThatIsThere):
    @pytest.fixture
    def checkup(self, tmp_path: Path) -> Checkup:
        return HomeCheckup(tmp_path / "deep" / "home")


def test_a_home_that_can_be_used_or_made_is_fine(tmp_path: Path) -> None:
    assert "can be written" in found(tmp_path, "home").found
    assert "can be made" in found(tmp_path / "a" / "b", "home").found
    assert {found(tmp_path / each, "home").outcome for each in (".", "a/b")} == {Outcome.OK}
    assert "GB free" in found(tmp_path / "a" / "b", "space").found


@pytest.mark.parametrize(
    ("home", "words"), [("file", "is a file"), ("file/home", "cannot be read and written")]
)
def test_a_file_in_the_way_is_a_problem(tmp_path: Path, home: str, words: str) -> None:
    (tmp_path / "file").touch()
    finding = found(tmp_path / home, "home")
    assert (finding.outcome, words in finding.found) == (Outcome.PROBLEM, True)
    assert "STUDBOOK_HOME" in str(finding.cure)
