"""Files stored while a workspace fails in drawn ways: in the end there is what a store that never fails would have."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from azureml_stand_in.faults import (
    BLOBS,
    LINKS,
    LISTING,
    REGISTRATION,
    ExpiredLink,
    blob_refusal,
    refusal,
)
from azureml_stand_in.workspace import Workspace
from faults.http_faults import (
    AnswerAfter,
    Cut,
    Fault,
    Flip,
    FlipSent,
    KeepPart,
    ResetAfter,
    ResetBefore,
)
from faults.seeds import every_seed
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.mlflow.patience import ONCE, Patience
from studbook.domain.errors import TrackingUnavailable
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.artifact_store import MakeRun, make_manifest, read_tree, write_tree

_STEPS = 6
_MOST_TRIES = 20
_NAMES = ("checkpoint", "logs/train")
_RECORDS = ("studbook/records/lineage.json", "studbook/spill/made-up-digest")

Write = Callable[[ArtifactStore, str], object]


def any_write(draw: random.Random, folder: Path) -> Write:
    """An artifact, under a name that may have one already, or a record."""
    if draw.random() < 0.3:
        path = draw.choice(_RECORDS)
        return lambda store, run_id: store.put_record(run_id, path, f'{{"of":"{path}"}}'.encode())
    files = {name: draw.randbytes(draw.randrange(1, 3000)) for name in ("a", "b/c")[: draw.randrange(1, 3)]}
    name = draw.choice(_NAMES)
    source = write_tree(folder, files)
    return lambda store, run_id: store.put(run_id, source, make_manifest(name, files))


def any_fault(draw: random.Random) -> tuple[str, str, Fault]:
    """Where, in requests of which method, and what: all of them pass by themselves."""
    anywhere = (ResetBefore(), ResetAfter(), AnswerAfter(503), Cut(draw.randrange(20), announced=True))
    choices = {
        (REGISTRATION, "POST"): (
            ExpiredLink(),
            Cut(draw.randrange(20), announced=False),
            refusal(429, "Busy"),
        ),
        (LISTING, "GET"): (Cut(draw.randrange(20), announced=False), refusal(503, "Busy")),
        (LINKS, "GET"): (ExpiredLink(), refusal(503, "Busy")),
        (BLOBS, "PUT"): (KeepPart(draw.randrange(20)), FlipSent(), blob_refusal(503, "ServerBusy")),
        (BLOBS, "HEAD"): (blob_refusal(404, "BlobNotFound"), blob_refusal(503, "ServerBusy")),
        (BLOBS, "GET"): (Flip(), Cut(draw.randrange(20), announced=False), blob_refusal(403, "Expired")),
    }
    (where, method), own = draw.choice(list(choices.items()))
    return where, method, draw.choice((*anywhere, *own))


def state(store: ArtifactStore, run_id: str, folder: Path) -> dict[str, object]:
    """What a reader gets: the newest files under every name, and the records that are there."""
    found: dict[str, object] = {}
    for manifest in store.manifests(run_id):
        store.fetch(run_id, manifest, folder / manifest.name)
        found[manifest.name] = read_tree(folder / manifest.name)
    listed = {file.path for file in store.list_files(run_id)}
    return found | {path: store.read(run_id, path) for path in _RECORDS if path in listed}


@every_seed
@pytest.mark.parametrize("patience", [ONCE, Patience(attempts=3, first_wait_s=0.01)], ids=["once", "patient"])
def test_whatever_fails_each_write_is_done_once_in_the_end(
    target: Target,
    workspace: Workspace,
    make_run: MakeRun,
    tmp_path: Path,
    patience: Patience,
    seed: int,
) -> None:
    draw = random.Random(seed)
    store, run_id = AzureArtifactStore(target, workers=2, patience=patience), make_run()
    whole = MemoryArtifactStore(Capabilities(overwrites_artifacts=False))
    for step in range(_STEPS):
        write = any_write(draw, tmp_path / f"source-{step}")
        for _ in range(draw.randrange(1, 4)):
            where, method, fault = any_fault(draw)
            workspace.on(where, fault, method=method, times=draw.randrange(1, 4))
        until_done(partial(write, store, run_id))
        write(whole, "run")
    workspace.forget()
    assert state(store, run_id, tmp_path / "fetched") == state(whole, "run", tmp_path / "whole")
    store.close()


def until_done(write: Callable[[], object]) -> None:
    """Whatever fails meanwhile can be repeated."""
    for _ in range(_MOST_TRIES):
        try:
            write()
        except TrackingUnavailable:
            continue
        return
    raise AssertionError("it never held")
