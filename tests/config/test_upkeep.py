"""The ledgers of all targets that a home's journal names, and delivery of all of them to one."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.config.container import Container
from studbook.config.origin import Origin, Source
from studbook.config.settings import load_settings
from studbook.config.tracking_target import SaidUri, named_target, resolve_target
from studbook.config.upkeep import deliver_all
from studbook.ports.pins import Pins

SQLITE = "sqlite:////elsewhere/mlflow.db"


def container(folder: Path, uri: str = "sqlite:///mlflow.db") -> Container:
    return Container(loaded=load_settings(folder, {"tracking.uri": uri}, {}), version="1")


_NAME = st.text("abcdefgh0123456789", min_size=1, max_size=8)


@given(
    st.one_of(
        st.builds("https://{}:{}@{}.example:5000/{}?token={}".format, _NAME, _NAME, _NAME, _NAME, _NAME),
        st.builds("sqlite:////{}/{}.db?cache={}".format, _NAME, _NAME, _NAME),
        st.builds("azureml://{}/mlflow/v1.0/subscriptions/{}".format, _NAME, _NAME),
        st.builds("postgresql+psycopg2://{}:{}@{}/db".format, _NAME, _NAME, _NAME),
        st.builds("http://{}:a@b/c@{}".format, _NAME, _NAME),
    )
)
def test_a_target_is_found_again_by_its_display_text(uri: str) -> None:
    target = resolve_target(SaidUri(uri, Origin(Source.FILE, "f", Path("/p"))), home=Path("/p/.studbook"))
    again = named_target(target.display)
    assert (again.id, again.display) == (target.id, target.display)


def test_a_ledger_is_there_when_something_was_delivered(tmp_path: Path) -> None:
    wired = container(tmp_path)
    ledger_of = wired.ledger_of()
    target = wired.loaded().target.display
    assert [ledger_of(each) for each in (target, SQLITE, "carrier-pigeon:", "http://***")] == [None] * 4
    assert list(tmp_path.iterdir()) == []
    wired.ledger().advance({"w": 3})
    container(tmp_path, SQLITE).ledger().advance({"v": 4})
    found = [ledger_of(each) for each in (target, SQLITE)]
    assert [ledger and dict(ledger.cursor()) for ledger in found] == [{"w": 3}, {"v": 4}]


def test_in_memory_the_ledger_is_the_books_own(tmp_path: Path) -> None:
    wired = container(tmp_path, "memory://")
    assert wired.ledger_of()(wired.loaded().target.display) is wired.ledger()


@pytest.mark.parametrize("uri", ["memory://", "sqlite:///mlflow.db"])
def test_all_targets_are_read_and_their_files_stay(tmp_path: Path, uri: str) -> None:
    wired = container(tmp_path, uri)
    deliver_all(wired)
    assert wired.event_log() is wired.whole_log()
    source = tmp_path / "weights.bin"
    source.write_bytes(b"weights")
    pins = cast("Pins", wired.pins())
    pin = pins.pin(source).pin
    pins.release(pin)
    assert pins.path(pin).read_bytes() == b"weights"
    assert wired.relay() is not container(tmp_path, uri).relay()
