"""A migration's ledger remembers what returned, and takes no harm from a torn line."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.home.migration_ledger import HomeMigrationLedger
from studbook.adapters.memory.migration_ledger import MemoryMigrationLedger
from studbook.domain.errors import HomeUnusable
from studbook.ports.migration_ledger import Copy, MigrationLedger


@pytest.fixture(params=["home", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> MigrationLedger:
    return HomeMigrationLedger(tmp_path, "a", "b") if request.param == "home" else MemoryMigrationLedger()


def test_the_last_word_on_a_run_counts(ledger: MigrationLedger) -> None:
    assert ledger.get("r") is None
    ledger.put("r", Copy("c"))
    ledger.put("other", Copy("d", "state"))
    ledger.put("r", Copy("c", "state"))
    assert (ledger.get("r"), ledger.get("other")) == (Copy("c", "state"), Copy("d", "state"))
    ledger.close()
    ledger.close()
    assert ledger.get("r") == Copy("c", "state")


def test_another_process_knows_it_and_other_pairs_of_stores_do_not(tmp_path: Path) -> None:
    HomeMigrationLedger(tmp_path, "a", "b").put("ü r", Copy("c"))
    assert HomeMigrationLedger(tmp_path, "a", "b").get("ü r") == Copy("c")
    assert HomeMigrationLedger(tmp_path, "b", "a").get("ü r") is None


@pytest.mark.parametrize("torn", [b'["r2", "c', b'["r2", "c2", null]', b"\xff\n", b"17\n", b'["r2"]\n'])
def test_a_line_that_was_torn_or_damaged_costs_its_own_run_only(tmp_path: Path, torn: bytes) -> None:
    first = HomeMigrationLedger(tmp_path, "a", "b")
    first.put("r1", Copy("c1", "s"))
    first.close()
    (file,) = (tmp_path / "migrations").iterdir()
    with file.open("ab") as out:
        out.write(torn)
    again = HomeMigrationLedger(tmp_path, "a", "b")
    again.put("r3", Copy("c3"))
    again.close()
    last = HomeMigrationLedger(tmp_path, "a", "b")
    assert (last.get("r1"), last.get("r3")) == (Copy("c1", "s"), Copy("c3"))


def test_a_home_that_takes_nothing_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(HomeUnusable, match="--home"):
        HomeMigrationLedger(tmp_path / "home", "a", "b").get("r")
