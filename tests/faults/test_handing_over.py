"""Handing over a model from a server whose bytes do not arrive, or by a process that is killed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.fault_home import FaultHome
from faults.http_faults import Cut, Fault, FaultyProxy, Flip, Stall
from faults.scripts import ready_script
from faults.waiting import PATIENCE_S
from servers.mlflow_server import Server
from studbook.application.run_handle import RunHandle
from studbook.domain.errors import AcquisitionFailed
from studbook.entrypoints.studbook import Studbook
from studbook.ports.contract.artifact_store import read_tree, write_tree

_MODEL = "/checkpoint/model.bin"
_FILES = {"config.json": b"{}", "model.bin": bytes(range(256)) * 1000}


@pytest.fixture
def book(served_home: FaultHome) -> Iterator[Studbook]:
    with served_home.open_book("inline") as opened:
        yield opened


@pytest.fixture
def trained(book: Studbook, tmp_path: Path) -> RunHandle:
    """A run whose checkpoint is on the server."""
    with book.run("trained") as run:
        run.log_artifact(write_tree(tmp_path / "source", _FILES), "checkpoint", kind="checkpoint")
    book.flush()
    return run


@pytest.mark.parametrize(
    "fault",
    [Cut(1000, announced=True), Cut(1000, announced=False), Cut(0, announced=False), Flip(5)],
    ids=str,
)
def test_a_model_that_does_not_arrive_as_it_was_is_refused_and_a_repetition_succeeds(
    book: Studbook, trained: RunHandle, proxy: FaultyProxy, tmp_path: Path, fault: Fault
) -> None:
    to = tmp_path / "out" / "model"
    proxy.on(_MODEL, fault, method="GET", times=None)
    with pytest.raises(AcquisitionFailed):
        book.acquire(trained, to=to)
    assert not to.exists()
    proxy.forget()
    assert read_tree(book.acquire(trained, to=to).path) == _FILES


def test_a_process_that_is_killed_while_bytes_arrive_leaves_nothing_that_must_be_cleaned_up(
    served_home: FaultHome, book: Studbook, trained: RunHandle, proxy: FaultyProxy, tmp_path: Path
) -> None:
    to = tmp_path / "out" / "model"
    stall = Stall(100_000)
    proxy.on(_MODEL, stall, method="GET")
    body = f"""
        book = open_book()
        ready()
        book.acquire({str(trained.key)!r}, to={str(to)!r})
    """
    with ready_script(served_home, body) as process:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        stall.wait_until_hanging()
        process.kill()
        process.wait(PATIENCE_S)
    stall.release()
    assert not to.exists()
    assert read_tree(book.acquire(trained, to=to).path) == _FILES


def test_a_byte_that_was_flipped_in_the_store_is_refused(
    book: Studbook, trained: RunHandle, server: Server, tmp_path: Path
) -> None:
    (stored,) = server.artifacts.rglob(f"{book.find(trained.key).run_id}/artifacts{_MODEL}")
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    with pytest.raises(AcquisitionFailed) as raised:
        book.acquire(trained, to=tmp_path / "model")
    assert "DIGEST_MISMATCH" in str(raised.value)
    assert not (tmp_path / "model").exists()
