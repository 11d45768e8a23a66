"""Whether a server can be used: a run and a file go there, and come back."""

from __future__ import annotations

from pathlib import Path

from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.store_writes import RecordBatch
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run


def works(uri: str, folder: Path) -> str:
    """The id of a run with the tag `t` and the file `notes/file`, which were read back; `folder` is for the file."""
    store, files = MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG), MlflowArtifactStore(uri)
    run_id = store.create_run(new_run(fresh_name()))
    store.record(run_id, RecordBatch(tags={"t": "1"}))
    assert store.get_run(run_id).tags["t"] == "1"
    (folder / "file").write_bytes(b"content")
    files.put_file(run_id, folder / "file", "notes/file")
    assert files.read(run_id, "notes/file") == b"content"
    for each in (store, files):
        each.close()
    return run_id
