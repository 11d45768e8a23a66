"""Destinations on disk: what counts as delivered, and how files get there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from studbook.adapters.home import swap
from studbook.adapters.home.deliveries import DELIVERED_NS, HomeDeliveries
from studbook.domain.acquisition import Receipt, Source, Trust
from studbook.domain.errors import AcquireBusy, IntegrityError, NoSpace
from studbook.domain.manifest import ArtifactManifest
from studbook.ports.contract.artifact_store import TREE, make_manifest, read_tree, write_tree
from studbook.ports.delivery_folder import Occupancy

MANIFEST = make_manifest("checkpoint", TREE)


@pytest.fixture
def deliveries(tmp_path: Path) -> HomeDeliveries:
    return HomeDeliveries(tmp_path / "home", min_free=0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "out" / "model"


def receipt(manifest: ArtifactManifest, place: Path) -> Receipt:
    return Receipt(
        target="t",
        subject="s",
        kind=manifest.kind,
        name=manifest.name,
        content_digest=manifest.content_digest,
        trust=Trust.VERIFIED,
        source=Source.STORE,
        tries=(),
        bytes_transferred=manifest.total_size,
        bytes_reused=0,
        materialised="copy",
        path=str(place),
        started_at="2024-01-02T03:04:05.678Z",
        ended_at="2024-01-02T03:04:05.678Z",
        studbook="0",
    )


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def deliver(
    deliveries: HomeDeliveries, place: Path, manifest: ArtifactManifest, files: dict[str, bytes]
) -> None:
    with deliveries.hold(place, 5), deliveries.stage(place, manifest.total_size) as staged:
        if manifest.is_single_file:
            staged.write_bytes(files[manifest.files[0].path])
        else:
            write_tree(staged, files)
        deliveries.publish(staged, place, manifest)
        deliveries.record(place, manifest, receipt(manifest, place))


def test_a_delivered_tree_holds_the_artifacts_files_only(deliveries: HomeDeliveries, place: Path) -> None:
    deliver(deliveries, place, MANIFEST, TREE)
    assert read_tree(place) == TREE
    assert {path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()} == {DELIVERED_NS}
    assert {oct(path.stat().st_mode & 0o777) for path in place.rglob("*") if path.is_file()} == {"0o444"}
    assert names_in(place.parent / ".studbook-acquired") == [
        "model.holder",
        "model.json",
        "model.lock",
    ]
    delivered = deliveries.delivered(place)
    assert delivered is not None
    assert (delivered.manifest, delivered.receipt) == (MANIFEST, receipt(MANIFEST, place))


def test_what_is_delivered_is_known_again_without_reading(deliveries: HomeDeliveries, place: Path) -> None:
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.ABSENT
    deliver(deliveries, place, MANIFEST, TREE)
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.SAME_UNREAD


def test_a_touched_but_equal_tree_is_read_again(deliveries: HomeDeliveries, place: Path) -> None:
    deliver(deliveries, place, MANIFEST, TREE)
    os.utime(place / "model.bin")
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.SAME


@pytest.mark.parametrize("damage", ["byte", "shorter", "missing", "extra", "link", "file"])
def test_a_damaged_delivery_is_ours_to_replace(deliveries: HomeDeliveries, place: Path, damage: str) -> None:
    deliver(deliveries, place, MANIFEST, TREE)
    target = place / "model.bin"
    target.chmod(0o644)
    match damage:
        case "byte":
            target.write_bytes(b"\x01" + TREE["model.bin"][1:])
        case "shorter":
            target.write_bytes(TREE["model.bin"][:-1])
        case "missing":
            target.unlink()
        case "extra":
            (place / "extra").write_bytes(b"")
        case "link":
            target.rename(place.parent / "elsewhere")
            target.symlink_to(place.parent / "elsewhere")
        case "file":
            place.rename(place.parent / "elsewhere")
            place.write_bytes(b"")
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.OURS
    deliver(deliveries, place, MANIFEST, TREE)
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.SAME_UNREAD
    assert read_tree(place) == TREE


def test_files_without_a_receipt_are_foreign_unless_equal_or_in_home(
    deliveries: HomeDeliveries, place: Path, tmp_path: Path
) -> None:
    write_tree(place, {"thesis.tex": b"years of work"})
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.FOREIGN
    assert deliveries.occupancy(write_tree(tmp_path / "copy", TREE), MANIFEST) is Occupancy.SAME
    in_home = write_tree(tmp_path / "home" / "models" / "checkpoint-1", {"half": b""})
    assert deliveries.occupancy(in_home, MANIFEST) is Occupancy.OURS
    assert deliveries.occupancy(in_home.parent, MANIFEST) is Occupancy.FOREIGN
    assert deliveries.occupancy(tmp_path / "home", MANIFEST) is Occupancy.FOREIGN


def test_a_link_at_the_destination_is_foreign(
    deliveries: HomeDeliveries, place: Path, tmp_path: Path
) -> None:
    write_tree(tmp_path / "elsewhere", TREE)
    place.parent.mkdir()
    place.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert deliveries.occupancy(place, MANIFEST) is Occupancy.FOREIGN
    deliver(deliveries, place, MANIFEST, TREE)
    assert not place.is_symlink()
    assert read_tree(tmp_path / "elsewhere") == TREE


def test_a_single_file_is_delivered_at_exactly_the_place(deliveries: HomeDeliveries, place: Path) -> None:
    for content in (b"one", b"two!"):
        manifest = make_manifest("reports/notes.txt", {"notes.txt": content})
        deliver(deliveries, place, manifest, {"notes.txt": content})
        assert place.read_bytes() == content
        assert deliveries.occupancy(place, manifest) is Occupancy.SAME_UNREAD
        assert deliveries.view(place, manifest).paths == ("notes.txt",)


@pytest.mark.parametrize("exchange", [True, False])
def test_another_delivery_replaces_the_first_whole(
    deliveries: HomeDeliveries, place: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    deliver(deliveries, place, MANIFEST, TREE)
    other = {"other.bin": b"other"}
    manifest = make_manifest("checkpoint", other)
    assert deliveries.occupancy(place, manifest) is Occupancy.OURS
    deliver(deliveries, place, manifest, other)
    assert read_tree(place) == other
    assert names_in(place.parent) == [".studbook-acquired", "model"]
    assert names_in(place.parent / ".studbook-acquired") == [
        "model.holder",
        "model.json",
        "model.lock",
    ]


def test_a_crash_between_two_renames_is_undone(deliveries: HomeDeliveries, place: Path) -> None:
    deliver(deliveries, place, MANIFEST, TREE)
    aside = place.parent / ".studbook-acquired" / "old-model"
    place.rename(aside)
    with deliveries.hold(place, 5):
        assert deliveries.occupancy(place, MANIFEST) is Occupancy.SAME_UNREAD
    write_tree(aside, {"old": b""})
    with deliveries.hold(place, 5):
        assert not aside.exists()
        assert read_tree(place) == TREE


@pytest.mark.parametrize("files", [{}, {**TREE, "extra": b""}, {**TREE, "model.bin": b"short"}])
def test_a_stage_with_other_files_is_not_published(
    deliveries: HomeDeliveries, place: Path, files: dict[str, bytes]
) -> None:
    with pytest.raises(IntegrityError):
        deliver(deliveries, place, MANIFEST, files)
    assert not place.exists()
    assert not list((place.parent / ".studbook-acquired").glob("stage-*"))


def test_too_little_space_is_told_before_the_first_byte(tmp_path: Path, place: Path) -> None:
    deliveries = HomeDeliveries(tmp_path / "home", min_free=1 << 60)
    with deliveries.hold(place, 5), pytest.raises(NoSpace) as caught, deliveries.stage(place, 1):
        pass
    assert caught.value.details["needed"] == (1 << 60) + 1


def test_a_destination_has_one_holder_at_a_time(deliveries: HomeDeliveries, place: Path) -> None:
    failed: list[AcquireBusy] = []

    def second() -> None:
        try:
            with deliveries.hold(place, 0):
                pass
        except AcquireBusy as error:
            failed.append(error)

    with deliveries.hold(place, 5):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert str(os.getpid()) in str(failed[0].details["holder"])
    with deliveries.hold(place, 0):
        pass
