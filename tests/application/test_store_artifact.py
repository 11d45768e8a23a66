"""Storing an artifact: validated, pinned, described by an event."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from studbook.adapters.home.pins import HomePins
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.application.store_artifact import ArtifactBuilder
from studbook.domain.errors import ArtifactInvalid, ArtifactNameInvalid
from studbook.domain.keys import RunKey
from studbook.domain.manifest import ArtifactKind, ArtifactManifest
from studbook.domain.run_events import ArtifactLogged
from studbook.domain.stage import Stage
from studbook.ports.contract.artifact_store import read_tree, write_tree

CHECKPOINT = {"config.json": b'{"model_type":"svm"}\n', "model.bin": bytes(range(256)) * 4}
RUN = RunKey.of({"run": 1})


@pytest.fixture
def pins(tmp_path: Path) -> HomePins:
    return HomePins(tmp_path / "home", CountingIds())


@pytest.fixture
def builder(pins: HomePins) -> ArtifactBuilder:
    return ArtifactBuilder(pins, ManualClock(), "0.1.0")


def build(
    builder: ArtifactBuilder, source: Path, name: str, kind: ArtifactKind = ArtifactKind.ANY
) -> tuple[ArtifactLogged, ArtifactManifest]:
    logged = builder.build(source, name=name, kind=kind, run_key=RUN, stage=Stage.REFIT, role="refit")
    return logged, ArtifactManifest.model_validate(logged.manifest)


def test_the_event_describes_what_is_pinned(builder: ArtifactBuilder, pins: HomePins, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", {**CHECKPOINT, "__pycache__/x.pyc": b"x"})
    logged, manifest = build(builder, source, "checkpoint", ArtifactKind.CHECKPOINT)
    assert read_tree(pins.path(logged.pin)) == CHECKPOINT
    assert (
        manifest.content_digest == "sha256:fc084c1abb95ceb335f980e6f88cfaeaca3b1de7ab873a07ff11bd1140d39a29"
    )
    assert (manifest.profile, manifest.run_key, manifest.role) == ("transformers", RUN, "refit")
    assert manifest.excluded == ("__pycache__",)
    assert manifest.created_at == "2023-11-14T22:13:20.000Z"
    assert ArtifactLogged.model_validate_json(logged.model_dump_json()) == logged


@pytest.mark.parametrize(
    ("source_name", "name", "stored"),
    [
        ("report.txt", "summary.txt", ["summary.txt"]),
        ("report.txt", "reports/summary.txt", ["reports/summary.txt"]),
        ("model.pt", "checkpoint", ["checkpoint/model.pt"]),
        ("notes", "notes", ["notes"]),
        ("notes", "other", ["other"]),
        ("folder/notes", "notes", ["notes"]),
        ("folder/notes", "other", ["other/notes"]),
    ],
)
def test_where_a_single_file_is_stored(
    builder: ArtifactBuilder, pins: HomePins, tmp_path: Path, source_name: str, name: str, stored: list[str]
) -> None:
    write_tree(tmp_path / "source", {source_name: b"text"})
    source = tmp_path / "source" / source_name.split("/", maxsplit=1)[0]
    logged, manifest = build(builder, source, name)
    store = MemoryArtifactStore()
    store.put("run", pins.path(logged.pin), manifest)
    listed = [file.path for file in store.list_files("run") if not file.path.startswith("studbook/")]
    assert listed == stored
    assert store.read("run", stored[0]) == b"text"
    assert manifest.files[0].sha256 == hashlib.sha256(b"text").hexdigest()
    pins.release(logged.pin)
    assert not list((tmp_path / "home" / "pins").iterdir())


def test_what_is_refused_leaves_no_pin(builder: ArtifactBuilder, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", {**CHECKPOINT, "model.bin": b""})
    with pytest.raises(ArtifactInvalid):
        build(builder, source, "checkpoint", ArtifactKind.CHECKPOINT)
    with pytest.raises(ArtifactNameInvalid):
        build(builder, source, "studbook/checkpoint")
    with pytest.raises(ArtifactNameInvalid):
        build(builder, write_tree(tmp_path / "odd", {"a:b": b""}) / "a:b", "folder.d")
    assert not list((tmp_path / "home" / "pins").iterdir())
