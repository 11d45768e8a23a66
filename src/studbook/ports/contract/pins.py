"""What every Pins adapter promises, as tests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ...domain.errors import ArtifactInvalid, ArtifactNameInvalid, HomeUnusable
from ..pins import Pins
from .artifact_store import TREE, read_tree, write_tree


class PinsContract:
    """Subclass it, and give the fixture `pins`."""

    @pytest.fixture
    def pins(self) -> Pins:
        """Pins of a fresh home."""
        raise NotImplementedError

    def test_a_folder_is_pinned_as_it_is(self, pins: Pins, tmp_path: Path) -> None:
        pinned = pins.pin(write_tree(tmp_path / "source", TREE))
        assert read_tree(pins.path(pinned.pin)) == TREE
        assert not pinned.is_file
        assert {file.path: (file.size, file.sha256) for file in pinned.files} == {
            path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in TREE.items()
        }
        assert [file.path for file in pinned.files] == sorted(TREE, key=str.encode)

    def test_a_file_is_pinned_under_its_name(self, pins: Pins, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_bytes(b"text")
        pinned = pins.pin(tmp_path / "notes.txt", exclude=["*.txt"])
        assert pinned.is_file
        assert [file.path for file in pinned.files] == ["notes.txt"]
        assert pins.path(pinned.pin).read_bytes() == b"text"
        assert pins.view(pinned.pin).paths == ("notes.txt",)

    def test_the_pin_does_not_follow_later_changes(self, pins: Pins, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "source", TREE)
        pinned = pins.pin(source)
        for path in TREE:
            (source / path).write_bytes(b"changed")
        assert read_tree(pins.path(pinned.pin)) == TREE

    def test_pinning_twice_gives_two_pins(self, pins: Pins, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "source", TREE)
        first, second = pins.pin(source), pins.pin(source)
        pins.release(first.pin)
        assert read_tree(pins.path(second.pin)) == TREE

    def test_a_released_pin_is_gone_and_releasing_twice_is_fine(self, pins: Pins, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_bytes(b"text")
        pinned = pins.pin(tmp_path / "notes.txt")
        pins.release(pinned.pin)
        pins.release(pinned.pin)
        assert not pins.path(pinned.pin).exists()

    def test_patterns_match_whole_components_and_what_is_left_out_is_listed(
        self, pins: Pins, tmp_path: Path
    ) -> None:
        files = {"a.pyc": b"", "a.pycx": b"", "sub/__pycache__/b": b"", "sub/not__pycache__": b""}
        pinned = pins.pin(write_tree(tmp_path / "source", files), exclude=["*.pyc", "__pycache__"])
        assert [file.path for file in pinned.files] == ["a.pycx", "sub/not__pycache__"]
        assert pinned.excluded == ("a.pyc", "sub/__pycache__")

    def test_executable_files_are_noted(self, pins: Pins, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "source", {"run.sh": b"", "data": b""})
        (source / "run.sh").chmod(0o755)
        assert {file.path: file.exec for file in pins.pin(source).files} == {"data": False, "run.sh": True}

    def test_links_inside_are_stored_as_their_content(self, pins: Pins, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "source", {"sub/a": b"a"})
        (source / "file-link").symlink_to("sub/a")
        (source / "folder-link").symlink_to(source / "sub", target_is_directory=True)
        pinned = pins.pin(source)
        assert read_tree(pins.path(pinned.pin)) == {"sub/a": b"a", "file-link": b"a", "folder-link/a": b"a"}
        assert not any(path.is_symlink() for path in pins.path(pinned.pin).rglob("*"))

    def test_the_source_itself_may_be_a_link(self, pins: Pins, tmp_path: Path) -> None:
        write_tree(tmp_path / "source", TREE)
        (tmp_path / "latest").symlink_to("source", target_is_directory=True)
        assert read_tree(pins.path(pins.pin(tmp_path / "latest").pin)) == TREE

    @pytest.mark.parametrize("target", ["../outside", "nowhere", ".", "link"])
    def test_other_links_are_refused(self, pins: Pins, tmp_path: Path, target: str) -> None:
        (tmp_path / "outside").write_bytes(b"secret")
        source = write_tree(tmp_path / "source", {"a": b"a"})
        (source / "link").symlink_to(target)
        assert _reason(lambda: pins.pin(source)) == "LINK_ESCAPES"
        assert [file.path for file in pins.pin(source, exclude=["link"]).files] == ["a"]

    def test_what_is_no_file_is_refused(self, pins: Pins, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "source", {"a": b"a"})
        os.mkfifo(source / "pipe")
        assert _reason(lambda: pins.pin(source)) == "WRONG_SHAPE"
        assert _reason(lambda: pins.pin(source / "pipe")) == "WRONG_SHAPE"

    def test_nothing_is_refused(self, pins: Pins, tmp_path: Path) -> None:
        (tmp_path / "empty" / "deeper").mkdir(parents=True)
        assert _reason(lambda: pins.pin(tmp_path / "empty")) == "EMPTY"
        assert _reason(lambda: pins.pin(tmp_path / "absent")) == "EMPTY"

    def test_names_that_are_not_portable_are_refused(self, pins: Pins, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "source", {"a": b"a", "con.txt": b"b"})
        with pytest.raises(ArtifactNameInvalid):
            pins.pin(source)

    @pytest.mark.parametrize(
        "pin", ["", "/etc", "../x", "pins/../../x", "pins", "events/x", "pins/a/../../.."]
    )
    def test_text_that_is_no_pin_is_refused(self, pins: Pins, pin: str) -> None:
        with pytest.raises(HomeUnusable):
            pins.path(pin)
        with pytest.raises(HomeUnusable):
            pins.release(pin)


def _reason(call: Callable[[], object]) -> object:
    with pytest.raises(ArtifactInvalid) as caught:
        call()
    return caught.value.details["reason"]
