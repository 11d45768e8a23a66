"""Acquiring an artifact: verified files, or every try and a destination as it was."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from studbook.adapters.home.deliveries import HomeDeliveries
from studbook.adapters.home.pins import HomePins
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.application.acquire import AcquireArtifact
from studbook.application.store_artifact import ArtifactBuilder
from studbook.domain.acquisition import Source, Trust, Try
from studbook.domain.errors import (
    AcquisitionFailed,
    ArtifactNameInvalid,
    DestinationOccupied,
    IntegrityError,
    InvalidInput,
    NoSpace,
    TrackingUnavailable,
)
from studbook.domain.keys import RunKey
from studbook.domain.manifest import ArtifactKind, ArtifactManifest
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle
from studbook.ports.contract.artifact_store import read_tree, write_tree

RUN = RunKey.of({"run": 1})
CHECKPOINT = {"config.json": b'{"model_type":"svm"}\n', "model.bin": bytes(range(256)) * 4, "run.sh": b"#!\n"}
SUBJECT = RunView(
    ref=RUN,
    run_id="run-1",
    stage=Stage.REFIT,
    status=RunStatus.FINISHED,
    lifecycle=Lifecycle.ACTIVE,
    experiment="e",
    name="refit-1",
    started_at=0,
    ended_at=1,
)


class Store(MemoryArtifactStore):
    """Counts what is asked, and can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0
        self.down: Exception | None = None
        self.failing_fetches: list[Exception] = []

    def manifests(self, run_id: str) -> tuple[ArtifactManifest, ...]:
        if self.down is not None:
            raise self.down
        return super().manifests(run_id)

    def fetch(self, run_id: str, manifest: ArtifactManifest, destination: Path) -> None:
        self.fetched += 1
        if self.failing_fetches:
            raise self.failing_fetches.pop()
        super().fetch(run_id, manifest, destination)


class World:
    def __init__(self, folder: Path, *, min_free: int = 0) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.store = Store()
        self.pins = HomePins(self.home, CountingIds())
        self.builder = ArtifactBuilder(self.pins, ManualClock(), "0")
        deliveries = HomeDeliveries(self.home, min_free=min_free)
        self.use_case = AcquireArtifact(self.store, ManualClock(), self.home, deliveries, studbook="0.1.0")
        self.acquire = self.use_case.acquire

    def log(
        self, name: str, files: dict[str, bytes], kind: ArtifactKind = ArtifactKind.CHECKPOINT
    ) -> ArtifactManifest:
        source = write_tree(self.folder / f"source-{len(self.store.runs)}-{name.replace('/', '-')}", files)
        if "run.sh" in files:
            (source / "run.sh").chmod(0o755)
        logged = self.builder.build(source, name=name, kind=kind, run_key=RUN, stage=Stage.REFIT)
        manifest = ArtifactManifest.model_validate(logged.manifest)
        return self.store.put(SUBJECT.run_id, self.pins.path(logged.pin), manifest)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def tries(error: AcquisitionFailed) -> list[tuple[str, str, str | None]]:
    found = error.details["tries"]
    assert isinstance(found, tuple)
    assert len(str(error.problem).splitlines()) == 1 + len(found)
    assert error.cure
    return [brief(one) for one in found]


def brief(one: Try) -> tuple[str, str, str | None]:
    return (str(one.source), str(one.phase), one.reason)


def test_the_files_arrive_verified_with_a_receipt(world: World, tmp_path: Path) -> None:
    manifest = world.log("checkpoint", CHECKPOINT)
    got = world.acquire(SUBJECT, "checkpoint", to=tmp_path / "out" / "model", target="champion")
    assert got.path == tmp_path / "out" / "model"
    assert read_tree(got.path) == CHECKPOINT
    assert got.manifest == manifest
    assert os.access(got.path / "run.sh", os.X_OK)
    assert not os.access(got.path / "model.bin", os.X_OK)
    receipt = got.receipt
    assert (receipt.trust, receipt.source, receipt.content_digest) == (
        Trust.VERIFIED,
        Source.STORE,
        manifest.content_digest,
    )
    assert (receipt.target, receipt.subject, receipt.bytes_transferred, receipt.bytes_reused) == (
        "champion",
        RUN,
        manifest.total_size,
        0,
    )
    assert [brief(one) for one in receipt.tries] == [
        ("destination", "probe", "NOT_FOUND"),
        ("store", "publish", None),
    ]
    assert receipt.started_at == "2023-11-14T22:13:20.000Z"


def test_without_a_place_the_content_digest_names_it(world: World) -> None:
    manifest = world.log("checkpoint", CHECKPOINT)
    got = world.acquire(SUBJECT, ArtifactKind.CHECKPOINT)
    assert got.path == world.home / "models" / f"checkpoint-{manifest.content_digest[7:23]}"
    assert read_tree(got.path) == CHECKPOINT


def test_what_is_there_is_neither_sent_nor_read_again(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    first = world.acquire(SUBJECT, "checkpoint", to=tmp_path / "model")
    weights = first.path / "model.bin"
    before = weights.stat()
    weights.chmod(0o644)
    weights.write_bytes(bytes(before.st_size))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))  # only who reads would notice
    again = world.acquire(SUBJECT, "checkpoint", to=tmp_path / "model")
    assert world.store.fetched == 1
    assert again.manifest == first.manifest
    receipt = again.receipt
    assert (receipt.source, receipt.bytes_transferred, receipt.bytes_reused, receipt.materialised) == (
        Source.DESTINATION,
        0,
        first.manifest.total_size,
        "none",
    )


def test_a_touched_destination_is_read_once_and_reused(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    to = tmp_path / "model"
    world.acquire(SUBJECT, "checkpoint", to=to)
    os.utime(to / "model.bin")
    record = tmp_path / ".studbook-acquired" / "model.json"
    before = record.read_bytes()
    world.acquire(SUBJECT, "checkpoint", to=to)
    refreshed = record.read_bytes()
    world.acquire(SUBJECT, "checkpoint", to=to)
    assert world.store.fetched == 1
    assert before != refreshed == record.read_bytes()


def test_a_broken_leftover_is_replaced(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    to = tmp_path / "model"
    world.acquire(SUBJECT, "checkpoint", to=to)
    (to / "config.json").unlink()
    got = world.acquire(SUBJECT, "checkpoint", to=to)
    assert read_tree(to) == CHECKPOINT
    assert [brief(one) for one in got.receipt.tries] == [
        ("destination", "verify", "DIGEST_MISMATCH"),
        ("store", "publish", None),
    ]


def test_somebody_elses_files_stay_unless_replacing_is_asked_for(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    to = write_tree(tmp_path / "model", {"thesis.tex": b"years of work"})
    with pytest.raises(DestinationOccupied):
        world.acquire(SUBJECT, "checkpoint", to=to)
    assert read_tree(to) == {"thesis.tex": b"years of work"}
    assert world.store.fetched == 0
    assert read_tree(world.acquire(SUBJECT, "checkpoint", to=to, replace=True).path) == CHECKPOINT


def test_equal_files_of_somebody_else_are_used_but_do_not_become_ours(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    to = write_tree(tmp_path / "model", CHECKPOINT)
    assert world.acquire(SUBJECT, "checkpoint", to=to).receipt.source is Source.DESTINATION
    (to / "more.txt").write_bytes(b"mine")
    with pytest.raises(DestinationOccupied):
        world.acquire(SUBJECT, "checkpoint", to=to)


@pytest.mark.parametrize("place", [".", "home/..", "out/.studbook-acquired/model", "home"])
def test_dangerous_places_are_refused_even_when_replacing(world: World, tmp_path: Path, place: str) -> None:
    world.log("checkpoint", CHECKPOINT)
    with pytest.raises((DestinationOccupied, ArtifactNameInvalid)):
        world.acquire(SUBJECT, "checkpoint", to=tmp_path / place, replace=True)
    assert (world.home / "pins").exists()


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"\x01" + CHECKPOINT["model.bin"][1:], "DIGEST_MISMATCH"),
        (b"short", "SIZE_MISMATCH"),
        (None, "INCOMPLETE"),
    ],
)
def test_damaged_bytes_are_told_and_a_repaired_store_serves(
    world: World, tmp_path: Path, damaged: bytes | None, why: str
) -> None:
    world.log("checkpoint", CHECKPOINT)
    stored = world.store.runs["run-1"]
    whole = stored.pop("checkpoint/model.bin")
    if damaged is not None:
        stored["checkpoint/model.bin"] = damaged
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint", to=tmp_path / "out" / "model")
    times = 1 if damaged is None else 2
    assert tries(caught.value)[1:] == [("store", "fetch", why)] * times
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".studbook-acquired"]
    stored["checkpoint/model.bin"] = whole
    assert read_tree(world.acquire(SUBJECT, "checkpoint", to=tmp_path / "out" / "model").path) == CHECKPOINT


def test_a_good_destination_survives_a_failed_replacement(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    to = tmp_path / "model"
    world.acquire(SUBJECT, "checkpoint", to=to)
    world.log("checkpoint", {**CHECKPOINT, "model.bin": b"newer"})
    world.store.runs["run-1"]["checkpoint.a002/model.bin"] = b"wrong"
    with pytest.raises(AcquisitionFailed):
        world.acquire(SUBJECT, "checkpoint", to=to)
    assert read_tree(to) == CHECKPOINT


def test_a_transfer_that_failed_once_is_tried_again(world: World) -> None:
    world.log("checkpoint", CHECKPOINT)
    world.store.failing_fetches = [IntegrityError("cut short", cure="again", reason="SIZE_MISMATCH")]
    got = world.acquire(SUBJECT, "checkpoint")
    assert [one.reason for one in got.receipt.tries] == ["NOT_FOUND", "SIZE_MISMATCH", None]


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (TrackingUnavailable("down", cure="wait"), "UNAVAILABLE"),
        (PermissionError(errno.EACCES, "denied"), "PERMISSION"),
        (OSError(errno.ENOSPC, "full"), "NO_SPACE"),
        (TimeoutError("slow"), "TIMEOUT"),
    ],
)
def test_every_failure_has_its_reason(world: World, failure: Exception, why: str) -> None:
    world.log("checkpoint", CHECKPOINT)
    world.store.failing_fetches = [failure]
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint")
    assert tries(caught.value)[-1] == ("store", "fetch", why)


def test_a_full_disk_ends_the_plan(tmp_path: Path) -> None:
    world = World(tmp_path, min_free=1 << 60)
    world.log("checkpoint", CHECKPOINT)
    with pytest.raises(NoSpace):
        world.acquire(SUBJECT, "checkpoint")
    assert world.store.fetched == 0


def test_files_that_are_not_of_their_kind_are_not_delivered(world: World, tmp_path: Path) -> None:
    """A store may hold what some other program wrote with a fitting manifest."""
    honest = world.log("data", {"config.json": b"{}", "model.bin": b""}, ArtifactKind.ANY)
    forged = honest.model_copy(update={"kind": ArtifactKind.CHECKPOINT, "profile": "transformers"})
    world.store.runs["run-1"][honest.manifest_path] = forged.to_bytes()
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint", to=tmp_path / "model")
    assert tries(caught.value)[-1] == ("store", "verify", "INVALID(EMPTY)")
    assert not (tmp_path / "model").exists()


def test_a_manifest_of_another_run_is_not_accepted(world: World) -> None:
    world.log("checkpoint", CHECKPOINT)
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(replace(SUBJECT, ref=RunKey.of({"run": 2})), "checkpoint")
    assert tries(caught.value) == [("store", "identity", "IDENTITY_MISMATCH")]


def test_which_artifact_is_meant(world: World) -> None:
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint")
    assert tries(caught.value) == [("store", "identity", "NOT_FOUND")]
    world.log("best", {"a.pt": b"1"})
    assert world.acquire(SUBJECT, "checkpoint").manifest.name == "best"
    world.log("last", {"a.pt": b"2"})
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint")
    assert tries(caught.value) == [("store", "identity", "IDENTITY_AMBIGUOUS")]
    assert "best, last" in str(caught.value)
    assert world.acquire(SUBJECT, "checkpoint", name="last").manifest.name == "last"
    world.log("checkpoint", {"a.pt": b"3"})
    assert world.acquire(SUBJECT, "checkpoint").manifest.name == "checkpoint"
    with pytest.raises(AcquisitionFailed):
        world.acquire(SUBJECT, "model", name="last")


@pytest.mark.parametrize(
    "subject",
    [
        replace(SUBJECT, status=RunStatus.RUNNING),
        replace(SUBJECT, status=RunStatus.FAILED),
        replace(SUBJECT, status=RunStatus.KILLED),
        replace(SUBJECT, lifecycle=Lifecycle.DELETED),
    ],
)
def test_only_finished_active_runs_serve(world: World, subject: RunView) -> None:
    world.log("checkpoint", CHECKPOINT)
    with pytest.raises(AcquisitionFailed):
        world.acquire(subject, "checkpoint")


def test_an_unknown_kind_is_told(world: World) -> None:
    with pytest.raises(InvalidInput):
        world.acquire(SUBJECT, "cheque-point")


def test_a_delivered_destination_serves_while_the_store_is_down(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    to = tmp_path / "model"
    world.acquire(SUBJECT, "checkpoint", to=to)
    world.store.down = TrackingUnavailable("down", cure="wait")
    got = world.acquire(SUBJECT, "checkpoint", to=to)
    assert (got.path, got.receipt.trust) == (to, Trust.SELF_VERIFIED)
    assert [brief(one) for one in got.receipt.tries] == [
        ("store", "probe", "UNAVAILABLE"),
        ("destination", "verify", None),
    ]
    for subject, kind in ((SUBJECT, "model"), (replace(SUBJECT, ref=RunKey.of({"run": 2})), "checkpoint")):
        with pytest.raises(AcquisitionFailed) as caught:
            world.acquire(subject, kind, to=to)
        assert tries(caught.value)[-1] == ("destination", "identity", "IDENTITY_MISMATCH")
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint", to=tmp_path / "elsewhere")
    assert tries(caught.value)[-1] == ("destination", "identity", "IDENTITY_MISSING")


def test_single_files_keep_their_kind_at_any_place(world: World, tmp_path: Path) -> None:
    source = tmp_path / "weights.pt"
    source.write_bytes(b"weights")
    logged = world.builder.build(
        source, name="best.pt", kind=ArtifactKind.CHECKPOINT, run_key=RUN, stage=Stage.REFIT
    )
    manifest = ArtifactManifest.model_validate(logged.manifest)
    world.store.put("run-1", world.pins.path(logged.pin), manifest)
    for to in (None, tmp_path / "a-place-without-suffix"):
        got = world.acquire(SUBJECT, "checkpoint", to=to)
        assert got.path.read_bytes() == b"weights"
        os.utime(got.path)
        assert world.acquire(SUBJECT, "checkpoint", to=to).receipt.source is Source.DESTINATION


def test_a_destination_that_cannot_be_written_is_a_try(world: World, tmp_path: Path) -> None:
    world.log("checkpoint", CHECKPOINT)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AcquisitionFailed) as caught:
        world.acquire(SUBJECT, "checkpoint", to=tmp_path / "file" / "model")
    assert tries(caught.value)[-1][0] == "destination"
