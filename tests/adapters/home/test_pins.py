"""Pins in a home on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from studbook.adapters.home.pins import HomePins
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.errors import HomeUnusable, SourceChanged
from studbook.ports.contract.artifact_store import write_tree
from studbook.ports.contract.pins import PinsContract
from studbook.ports.pins import Pins


class TestHomePins(PinsContract):
    @pytest.fixture
    def pins(self, tmp_path: Path) -> Pins:
        return HomePins(tmp_path / "home", CountingIds())


class MeddlingIds(CountingIds):
    """Does something between the first look at the source and the copy."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._meddle = meddle

    def nonce(self) -> str:
        self._meddle()
        return super().nonce()


@pytest.mark.parametrize(
    "meddle",
    [
        lambda source: (source / "a").write_bytes(b"longer than before"),
        lambda source: os.utime(source / "a", ns=(0, 0)),
        lambda source: (source / "b").replace(source / "a"),
        lambda source: (source / "a").unlink(),
        lambda source: (source / "new").write_bytes(b""),
    ],
    ids=["grown", "touched", "replaced", "gone", "joined"],
)
def test_a_source_that_changes_meanwhile_is_refused_and_leaves_nothing(
    tmp_path: Path, meddle: Callable[[Path], object]
) -> None:
    source = write_tree(tmp_path / "source", {"a": b"a", "b": b"b"})
    pins = HomePins(tmp_path / "home", MeddlingIds(lambda: meddle(source)))
    with pytest.raises(SourceChanged):
        pins.pin(source)
    assert list((tmp_path / "home" / "pins").iterdir()) == []


def test_a_home_that_cannot_take_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"a file")
    (tmp_path / "notes.txt").write_bytes(b"text")
    with pytest.raises(HomeUnusable):
        HomePins(tmp_path / "home", CountingIds()).pin(tmp_path / "notes.txt")
