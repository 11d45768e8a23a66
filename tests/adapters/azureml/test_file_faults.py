"""Files on their way to and from a workspace that fails: whole and true, or a typed error; a repetition succeeds."""

from __future__ import annotations

import json
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azureml_stand_in.faults import (
    BLOBS,
    LINKS,
    LISTING,
    REGISTRATION,
    TOKENS,
    ExpiredLink,
    blob,
    blob_refusal,
    refusal,
)
from azureml_stand_in.workspace import Workspace
from faults.http_faults import (
    Answer,
    AnswerAfter,
    Cut,
    Fault,
    Flip,
    FlipSent,
    HangAfter,
    HangBefore,
    KeepPart,
    ResetAfter,
    ResetBefore,
    Stall,
)
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.plugin import service_context
from studbook.adapters.azureml.tracking_store import AZURE_LIMITS, azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.mlflow.patience import ONCE, Patience
from studbook.application.spill import join, spill
from studbook.domain.errors import ArtifactNotFound, IntegrityError, TrackingRefused, TrackingUnavailable
from studbook.domain.store_writes import RecordBatch
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.artifact_store import TREE, MakeRun, make_manifest, read_tree, write_tree
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG
from studbook.ports.time_left import within

RECORD = "studbook/records/lineage.json"
FILES = {path: TREE[path] for path in ("config.json", "model.bin")}
_MANY = 3

StoreMaker = Callable[..., AzureArtifactStore]


@pytest.fixture
def store_with(target: Target) -> Iterator[StoreMaker]:
    """Makes stores; by default one that asks once, for one file at a time."""
    made: list[AzureArtifactStore] = []

    def make(patience: Patience = ONCE, timeout_s: float = 60.0) -> AzureArtifactStore:
        made.append(AzureArtifactStore(target, workers=1, patience=patience, timeout_s=timeout_s))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(store_with: StoreMaker) -> AzureArtifactStore:
    """A store that asks once."""
    return store_with()


@pytest.fixture
def run_id(make_run: MakeRun, workspace: Workspace) -> str:
    """A run without files; that it was made is forgotten."""
    made = make_run()
    workspace.forget()
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The files."""
    return write_tree(tmp_path / "source", FILES)


def until_it_holds(write: Callable[[], object]) -> int:
    """How often the store had to be asked; no error but TrackingUnavailable is one to be repeated."""
    for tries in range(1, _MANY + 1):
        try:
            write()
        except TrackingUnavailable:
            continue
        return tries
    raise AssertionError("it never held")


def readable(store: ArtifactStore, run_id: str, folder: Path) -> dict[str, dict[str, bytes]]:
    """The files of every artifact of the run, as they arrive."""
    for manifest in store.manifests(run_id):
        store.fetch(run_id, manifest, folder / manifest.name)
    return {path.name: read_tree(path) for path in folder.iterdir()} if folder.exists() else {}


def in_memory(source: Path, folder: Path) -> dict[str, dict[str, bytes]]:
    """What a write-once store that never fails has of the same artifact."""
    store = MemoryArtifactStore(Capabilities(overwrites_artifacts=False))
    store.put("run", source, make_manifest("checkpoint", FILES))
    return readable(store, "run", folder)


SENDING: tuple[tuple[str, str, Fault], ...] = (
    (REGISTRATION, "POST", refusal(429, "TooManyRequests")),
    (REGISTRATION, "POST", Answer(429, {"Retry-After": "7"})),
    (REGISTRATION, "POST", Answer(503, {"Content-Type": "text/html"}, b"<html>down</html>")),
    (REGISTRATION, "POST", AnswerAfter(503)),
    (REGISTRATION, "POST", ResetBefore()),
    (REGISTRATION, "POST", ResetAfter()),
    (REGISTRATION, "POST", Cut(20, announced=True)),
    (REGISTRATION, "POST", Cut(20, announced=False)),
    (REGISTRATION, "POST", ExpiredLink()),
    (BLOBS, "PUT", blob_refusal(503, "ServerBusy")),
    (BLOBS, "PUT", blob_refusal(403, "AuthenticationFailed")),
    (BLOBS, "PUT", AnswerAfter(503)),
    (BLOBS, "PUT", ResetBefore()),
    (BLOBS, "PUT", ResetAfter()),
    (BLOBS, "PUT", KeepPart(3)),
    (BLOBS, "PUT", FlipSent()),
    (BLOBS, "HEAD", blob_refusal(404, "BlobNotFound")),
    (BLOBS, "HEAD", ResetBefore()),
)


@pytest.mark.parametrize("path", ["checkpoint/model.bin", "studbook/manifests/checkpoint.json"])
@pytest.mark.parametrize(("where", "method", "fault"), SENDING, ids=repr)
def test_an_upload_that_fails_is_repeated_to_one_readable_artifact(
    workspace: Workspace,
    store: AzureArtifactStore,
    run_id: str,
    source: Path,
    tmp_path: Path,
    where: str,
    method: str,
    fault: Fault,
    path: str,
) -> None:
    if where == REGISTRATION:
        workspace.on(where, fault, method=method, holding=f'"{path}"'.encode())
    else:
        workspace.on(blob(path), fault, method=method)
    manifest = make_manifest("checkpoint", FILES)
    assert until_it_holds(lambda: store.put(run_id, source, manifest)) == 2
    assert readable(store, run_id, tmp_path / "fetched") == in_memory(source, tmp_path / "memory")
    before = store.list_files(run_id)
    store.put(run_id, source, manifest)
    assert store.list_files(run_id) == before


@pytest.mark.parametrize(("where", "method", "fault"), SENDING, ids=repr)
def test_a_record_whose_upload_fails_is_stored_once_by_a_later_try(
    workspace: Workspace, store: AzureArtifactStore, run_id: str, where: str, method: str, fault: Fault
) -> None:
    workspace.on(where, fault, method=method, times=2)
    assert until_it_holds(lambda: store.put_record(run_id, RECORD, b'{"a":1}')) > 1
    before = store.list_files(run_id)
    store.put_record(run_id, RECORD, b'{"a":1}')
    assert store.list_files(run_id) == before
    assert store.read(run_id, RECORD) == b'{"a":1}'
    with pytest.raises(IntegrityError):
        store.put_record(run_id, RECORD, b'{"a":2}')


def test_every_try_at_a_record_has_a_path_of_its_own(
    workspace: Workspace, store: AzureArtifactStore, run_id: str
) -> None:
    workspace.on(BLOBS, blob_refusal(403, "AuthenticationFailed"), method="PUT", times=2)
    assert until_it_holds(lambda: store.put_record(run_id, RECORD, b'{"a":1}')) == 3
    assert [file.path for file in store.list_files(run_id)] == [RECORD, f"{RECORD}.a002", f"{RECORD}.a003"]
    with pytest.raises(ArtifactNotFound):
        store.read(run_id, "studbook/records/other.json")


def test_a_spilled_value_whose_upload_fails_is_joined_again(
    workspace: Workspace, store: AzureArtifactStore, target: Target, run_id: str
) -> None:
    runs = azure_tracking_store(target, run_key_tag=RUN_KEY_TAG)
    long = "x" * 2000
    workspace.on(BLOBS, ResetBefore(), method="PUT")

    def record() -> None:
        runs.record(run_id, spill(RecordBatch(params={"long": long}), run_id, AZURE_LIMITS, store))

    assert until_it_holds(record) == 2
    assert join(runs.get_run(run_id), store).params == {"long": long}


@pytest.mark.parametrize("left", ["nothing", "part"])
def test_a_manifest_whose_upload_fails_says_nothing_until_the_next_try(
    workspace: Workspace, store: AzureArtifactStore, run_id: str, source: Path, tmp_path: Path, left: str
) -> None:
    other = store.put(
        run_id, write_tree(tmp_path / "model", {"a": b"a"}), make_manifest("model", {"a": b"a"})
    )
    first = store.put(run_id, tmp_path / "model", make_manifest("checkpoint", {"a": b"a"}))
    fault = ResetBefore() if left == "nothing" else KeepPart(0)
    workspace.on(blob("studbook/manifests/checkpoint.a002.json"), fault, method="PUT")
    with pytest.raises(TrackingUnavailable):
        store.put(run_id, source, make_manifest("checkpoint", FILES))
    assert store.manifests(run_id) == (first, other)
    second = store.put(run_id, source, make_manifest("checkpoint", FILES))
    assert second.revision == 3
    assert store.manifests(run_id) == (second, other)


@pytest.mark.parametrize(
    ("where", "method", "fault"),
    [
        (REGISTRATION, "POST", refusal(429, "TooManyRequests")),
        (REGISTRATION, "POST", ResetBefore()),
        (BLOBS, "PUT", blob_refusal(503, "ServerBusy")),
        (BLOBS, "PUT", AnswerAfter(503)),
        (BLOBS, "PUT", ResetBefore()),
        (BLOBS, "PUT", ResetAfter()),
        (BLOBS, "HEAD", ResetBefore()),
    ],
    ids=repr,
)
def test_what_leaves_the_path_ours_is_sent_again_to_the_same_path(
    workspace: Workspace,
    store_with: StoreMaker,
    run_id: str,
    source: Path,
    where: str,
    method: str,
    fault: Fault,
) -> None:
    store = store_with(Patience(attempts=3, first_wait_s=0.01))
    workspace.on(where, fault, method=method, times=2)
    stored = store.put(run_id, source, make_manifest("checkpoint", FILES))
    assert stored.revision == 1
    assert len(store.list_files(run_id)) == len(FILES) + 1


ARRIVING: tuple[tuple[str, Fault], ...] = (
    (LINKS, refusal(429, "TooManyRequests")),
    (LINKS, Answer(503, {"Content-Type": "text/html"}, b"<html>down</html>")),
    (LINKS, Answer(404, {"Content-Type": "text/html"}, b"<html>nothing here</html>")),
    (LINKS, Cut(20, announced=False)),
    (LINKS, ResetAfter()),
    (LINKS, ExpiredLink()),
    (BLOBS, blob_refusal(503, "ServerBusy")),
    (BLOBS, blob_refusal(403, "AuthenticationFailed")),
    (BLOBS, Answer(404, {"Content-Type": "text/html"}, b"<html>nothing here</html>")),
    (BLOBS, Cut(400, announced=True)),
    (BLOBS, Cut(400, announced=False)),
    (BLOBS, Cut(0, announced=False)),
    (BLOBS, Flip(3)),
    (BLOBS, ResetAfter()),
)


@pytest.mark.parametrize(("where", "fault"), ARRIVING, ids=repr)
def test_a_download_that_fails_leaves_nothing_and_can_be_repeated(
    workspace: Workspace,
    store: AzureArtifactStore,
    run_id: str,
    source: Path,
    tmp_path: Path,
    where: str,
    fault: Fault,
) -> None:
    stored = store.put(run_id, source, make_manifest("checkpoint", FILES))
    workspace.on(rf"{where}.*model\.bin", fault, method="GET", times=None)
    (tmp_path / "there").mkdir()
    with pytest.raises(TrackingUnavailable):
        store.fetch(run_id, stored, tmp_path / "there" / "model")
    assert not list((tmp_path / "there").iterdir())
    workspace.forget()
    store.fetch(run_id, stored, tmp_path / "there" / "model")
    assert read_tree(tmp_path / "there" / "model") == FILES


@pytest.mark.parametrize(("where", "fault"), [(LISTING, refusal(503, "Busy")), *ARRIVING], ids=repr)
def test_what_cannot_be_read_now_is_not_taken_for_what_is_not_there(
    workspace: Workspace, store_with: StoreMaker, run_id: str, source: Path, where: str, fault: Fault
) -> None:
    stored = store_with().put(run_id, source, make_manifest("checkpoint", FILES))
    workspace.on(where, fault, method="GET", times=None)
    with pytest.raises(TrackingUnavailable):
        store_with().manifests(run_id)
    workspace.forget()
    workspace.on(where, fault, method="GET")
    if fault != refusal(503, "NotMLflow") and "nothing here" not in repr(fault):
        assert store_with(Patience(attempts=2, first_wait_s=0.0)).manifests(run_id) == (stored,)


def test_a_blob_that_is_missing_behind_its_path_is_told_and_nothing_arrives(
    workspace: Workspace, store: AzureArtifactStore, run_id: str, source: Path, tmp_path: Path
) -> None:
    stored = store.put(run_id, source, make_manifest("checkpoint", FILES))
    workspace.on(blob("checkpoint/model.bin"), blob_refusal(404, "BlobNotFound"), method="GET")
    with pytest.raises(ArtifactNotFound):
        store.fetch(run_id, stored, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()
    store.fetch(run_id, stored, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == FILES


@pytest.mark.parametrize(
    ("where", "method", "silence"),
    [
        (REGISTRATION, "POST", HangBefore),
        (REGISTRATION, "POST", HangAfter),
        (BLOBS, "PUT", HangBefore),
        (BLOBS, "PUT", HangAfter),
        (BLOBS, "HEAD", HangBefore),
    ],
)
def test_silence_ends_an_upload_after_the_time_that_was_set(
    workspace: Workspace,
    store_with: StoreMaker,
    run_id: str,
    source: Path,
    tmp_path: Path,
    where: str,
    method: str,
    silence: type[HangAfter],
) -> None:
    silent = silence()
    workspace.on(where, silent, method=method)
    store = store_with(timeout_s=0.5)
    manifest = make_manifest("checkpoint", FILES)
    # Nothing but the store's own time-out ends the silence.
    with pytest.raises(TrackingUnavailable):
        store.put(run_id, source, manifest)
    silent.release()
    stored = store_with().put(run_id, source, manifest)
    store_with().fetch(run_id, stored, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == FILES


@pytest.mark.parametrize(
    ("where", "silence"), [(LINKS, HangAfter()), (BLOBS, Stall(400)), (LISTING, Stall(1))]
)
def test_silence_ends_a_download_after_the_time_that_was_set(
    workspace: Workspace, store_with: StoreMaker, run_id: str, where: str, silence: HangAfter
) -> None:
    content = bytes(1000)
    store_with().put_record(run_id, RECORD, content)
    workspace.on(where, silence, method="GET")
    with pytest.raises(TrackingUnavailable):
        store_with(timeout_s=0.5).read(run_id, RECORD)
    silence.release()
    assert store_with().read(run_id, RECORD) == content


def test_who_waits_with_no_time_left_waits_for_one_try_only(
    workspace: Workspace, store_with: StoreMaker, run_id: str
) -> None:
    store = store_with(Patience(attempts=9, first_wait_s=600.0))
    workspace.on(BLOBS, ResetBefore(), method="PUT", times=None)
    with within(lambda: 0.0), pytest.raises(TrackingUnavailable):
        store.put_record(run_id, RECORD, b"{}")
    assert len(workspace.requests(BLOBS, "PUT")) == 1


def test_a_token_that_is_taken_no_longer_is_renewed_once(
    workspace: Workspace, store: AzureArtifactStore, run_id: str
) -> None:
    store.put_record(run_id, RECORD, b"{}")
    workspace.revoke_tokens()
    store.put_record(run_id, "studbook/records/later.json", b"{}")
    workspace.revoke_tokens()
    assert store.read(run_id, RECORD) == b"{}"
    assert len(workspace.requests(TOKENS)) == 2


def test_what_the_workspace_asks_for_reaches_who_repeats(
    workspace: Workspace, store: AzureArtifactStore, run_id: str
) -> None:
    workspace.on(REGISTRATION, refusal(429, "TooManyRequests", retry_after_s=7))
    with pytest.raises(TrackingUnavailable) as caught:
        store.put_record(run_id, RECORD, b"{}")
    assert caught.value.details["retry_after_s"] == 7.0


def test_what_the_workspace_refuses_is_told_in_its_words_without_signatures(
    workspace: Workspace, store: AzureArtifactStore, run_id: str
) -> None:
    said = f"no more of this, see https://made-up.example/help?sig=secret {'and so on ' * 100}"
    body = json.dumps({"error": {"code": "UserError", "message": said}}).encode()
    workspace.on(REGISTRATION, Answer(400, {"Content-Type": "application/json"}, body))
    with pytest.raises(TrackingRefused, match="no more of this") as caught:
        store.put_record(run_id, RECORD, b"{}")
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_no_error_and_no_log_holds_a_signed_address_or_a_token(
    workspace: Workspace,
    store: AzureArtifactStore,
    run_id: str,
    source: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for fault in (blob_refusal(403, "AuthenticationFailed"), ResetBefore(), KeepPart(1)):
        workspace.on(r"/checkpoint(\.a\d{3})?/model\.bin", fault, method="PUT")
        with pytest.raises(TrackingUnavailable) as caught:
            store.put(run_id, source, make_manifest("checkpoint", FILES))
        told += [str(caught.value), repr(caught.value), str(caught.value.details)]
        told += traceback.format_exception(caught.value)
    stored = store.put(run_id, source, make_manifest("checkpoint", FILES))
    store.fetch(run_id, stored, tmp_path / "fetched")
    assert "PUT /azureml/" in caplog.text
    told.append(caplog.text)
    signatures = {one.path.partition("sig=")[2] for one in workspace.requests(BLOBS)}
    tokens = {one.headers["Authorization"].split()[1] for one in workspace.requests(REGISTRATION)}
    assert min(map(len, signatures | tokens)) > 20
    assert not [secret for secret in signatures | tokens if secret[:20] in "\n".join(told)]


def test_a_large_file_goes_in_pieces_and_a_lost_piece_is_sent_again(
    workspace: Workspace, store_with: StoreMaker, run_id: str, tmp_path: Path
) -> None:
    files = {"model.bin": random.Random(0).randbytes(9 << 20)}
    store = store_with(Patience(attempts=3, first_wait_s=0.01))
    for fault in (ResetBefore(), ResetAfter(), FlipSent(), blob_refusal(503, "ServerBusy")):
        workspace.on("comp=block&", fault, method="PUT")
    workspace.on("comp=blocklist", ResetAfter(), method="PUT")
    source, manifest = write_tree(tmp_path / "source", files), make_manifest("model", files)
    tries = until_it_holds(lambda: store.put(run_id, source, manifest))
    # A piece that was changed on its way is refused, which gives the file up; nothing else does.
    assert tries == 2
    assert len(workspace.requests("comp=block&", "PUT")) > 6
    workspace.on(BLOBS, Cut(1000, announced=False), method="GET")
    (stored,) = store.manifests(run_id)
    store.fetch(run_id, stored, tmp_path / "fetched")
    assert read_tree(tmp_path / "fetched") == files


def test_the_plugin_reads_what_is_stored_and_the_other_way_round(
    store: AzureArtifactStore, target: Target, run_id: str, source: Path, tmp_path: Path
) -> None:
    from azureml.mlflow._client.artifact.run_artifact_client import RunArtifactsClient

    theirs: Any = RunArtifactsClient(service_context(target), "0", run_id, path="")
    store.put(run_id, source, make_manifest("checkpoint", FILES))
    assert set(theirs.get_file_paths()) == {file.path for file in store.list_files(run_id)}
    for path in FILES:
        theirs.download_artifact(f"checkpoint/{path}", str(tmp_path / "theirs" / path))
    assert read_tree(tmp_path / "theirs") == FILES
    theirs.upload_file(str(source / "model.bin"), "foreign/ß 1.bin")
    assert store.read(run_id, "foreign/ß 1.bin") == FILES["model.bin"]


def test_a_folder_is_not_taken_for_another_that_begins_like_it(
    store: AzureArtifactStore, run_id: str, tmp_path: Path
) -> None:
    for name in ("model.pkl", "model.pkl.bak"):
        (tmp_path / name).write_bytes(name.encode())
        store.put(run_id, tmp_path / name, make_manifest(name, {name: name.encode()}))
    for manifest in store.manifests(run_id):
        store.fetch(run_id, manifest, tmp_path / f"fetched-{manifest.name}")
        assert (tmp_path / f"fetched-{manifest.name}").read_bytes() == manifest.name.encode()
