"""The delivery ledger on disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from studbook.adapters.journal.ledger import JournalDeliveryLedger
from studbook.domain.errors import HomeUnusable, JournalError
from studbook.ports.contract.delivery_ledger import RUN, DeliveryLedgerContract
from studbook.ports.delivery_ledger import DeliveryLedger, Refusal

CHILD = """
import os, sys
from pathlib import Path
from studbook.adapters.journal.ledger import JournalDeliveryLedger
ledger = JournalDeliveryLedger(Path(sys.argv[1]), "t1")
with ledger.lease(0) as held:
    ledger.advance({"a": 7})
    print(held, flush=True)
    sys.stdin.read()
"""


class TestJournalDeliveryLedger(DeliveryLedgerContract):
    @pytest.fixture
    def open_ledger(self, tmp_path: Path) -> Callable[[], DeliveryLedger]:
        return lambda: JournalDeliveryLedger(tmp_path, "target-1")


def test_each_target_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    one, two = JournalDeliveryLedger(tmp_path, "t1"), JournalDeliveryLedger(tmp_path, "t2")
    one.advance({"a": 3})
    one.bind(RUN, "id-1")
    two.bind(RUN, "id-2")
    with one.lease(0) as held, two.lease(0) as also:
        assert held
        assert also
    assert dict(two.cursor()) == {}
    assert (one.run_id(RUN), two.run_id(RUN)) == ("id-1", "id-2")


def test_another_process_is_kept_out_until_it_may_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    ledger = JournalDeliveryLedger(tmp_path, "t1")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "True"
        with ledger.lease(0) as held:
            assert held is False
        child.kill()
        child.wait()
    with ledger.lease(5) as held:
        assert held is True
    assert dict(ledger.cursor()) == {"a": 7}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\0b", "x" * 129, "-a"])
def test_a_target_id_that_names_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        JournalDeliveryLedger(tmp_path, name)


def test_a_home_below_a_file_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ledger = JournalDeliveryLedger(tmp_path / "file" / "home", "t1")
    with pytest.raises(HomeUnusable) as unusable:
        ledger.cursor()
    assert "--home" in unusable.value.cure
    with pytest.raises(HomeUnusable), ledger.lease(0):
        pass


def test_a_ledger_that_is_no_database_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "delivery" / "t1"
    folder.mkdir(parents=True)
    (folder / "ledger.db").write_bytes(b"this is no database, but long enough to be looked at " * 10)
    with pytest.raises(JournalError) as corrupt:
        JournalDeliveryLedger(tmp_path, "t1").advance({"a": 1})
    assert "move the file away" in corrupt.value.cure


def test_a_ledger_can_be_closed_twice_and_used_again(tmp_path: Path) -> None:
    ledger = JournalDeliveryLedger(tmp_path, "t1")
    ledger.refuse(Refusal("a", 1, None, "no"))
    ledger.close()
    ledger.close()
    assert ledger.refusals() == (Refusal("a", 1, None, "no"),)
    ledger.close()
