"""From a laptop's database into an Azure ML workspace, and back."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from application.migration_world import Spec, fill, held
from azureml_stand_in.workspace import URI, StandIn
from end_to_end.migration_call import migrate
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.contract.tracking_examples import START

LAPTOP = [
    Spec(
        "horses/racing 1",
        "parent",
        params={"lr": "0.1", "long": "p" * 5000, **{f"p{number}": "v" for number in range(230)}},
        tags={"team": "a b", "prompt": "t" * 3000, **{f"t{number}": "v" for number in range(60)}},
        points=tuple(MetricPoint("loss", i / 7, START + i, i) for i in range(450)),
        files={"model/weights.bin": bytes(range(256)) * 500, "log.txt": b""},
        ended=START + 60,
    ),
    Spec("horses/racing 1", "child", parent=0, status=RunStatus.FAILED, ended=START + 9, params={"lr": "1"}),
    Spec("horses/racing 1", "stopped", parent=1, status=RunStatus.KILLED, ended=START + 5),
]


@pytest.fixture
def laptop(empty_database: Path, tmp_path: Path) -> str:
    """The URI of an empty database."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


def test_a_laptop_project_moves_into_a_workspace_and_back(
    empty_workspace: StandIn, empty_database: Path, tmp_path: Path
) -> None:
    (tmp_path / "laptop").mkdir()
    shutil.copy(empty_database, tmp_path / "laptop" / "mlflow.db")
    laptop, back = f"sqlite:///{tmp_path}/laptop/mlflow.db", f"sqlite:///{tmp_path}/back/mlflow.db"
    store, files = _opened(laptop)
    with closing(store), closing(files):
        fill(store, files, LAPTOP)
        ours = held(store, files)
    there = (laptop, URI, "--rename", "horses/racing 1=horses-racing-1")
    for copied in (len(LAPTOP), 0):
        code, document, _ = migrate(tmp_path, *there, variables=empty_workspace.variables)
        assert (code, document["copied"], document["equal"]) == (0, copied, True), document
        assert document["digests"]["source"] == document["digests"]["destination"]
    code, document, _ = migrate(
        tmp_path,
        URI,
        back,
        "--rename",
        "horses-racing-1=horses/racing 1",
        variables=empty_workspace.variables,
    )
    assert (code, document["equal"]) == (0, True), document
    copies, copied_files = _opened(back)
    with closing(copies), closing(copied_files):
        returned = held(copies, copied_files)
    assert returned == ours


@pytest.mark.usefixtures("workspace")
def test_a_file_that_changed_meanwhile_is_brought_into_the_workspace_by_another_copy(
    azure: StandIn, laptop: str, tmp_path: Path
) -> None:
    store, files = _opened(laptop)
    with closing(store), closing(files):
        (run_id,) = fill(store, files, [Spec("horses-open", status=RunStatus.RUNNING, files={"log": b"1"})])
        assert migrate(tmp_path, laptop, URI, variables=azure.variables)[0] == 0
        (tmp_path / "log").write_bytes(b"1, 2")
        files.put_file(run_id, tmp_path / "log", "log")
    code, document, _ = migrate(tmp_path, laptop, URI, variables=azure.variables)
    assert (code, document["equal"]) == (0, True), document


@pytest.mark.usefixtures("workspace")
def test_names_that_the_workspace_does_not_take_are_told_before_anything_is_copied(
    azure: StandIn, laptop: str, tmp_path: Path
) -> None:
    store, files = _opened(laptop)
    with closing(store), closing(files):
        fill(store, files, [Spec("fine-name"), Spec("horses/racing"), Spec("my horses")])
    code, document, _ = migrate(tmp_path, laptop, URI, variables=azure.variables)
    assert (code, document["error"]["type"]) == (2, "NameInvalid")
    assert "'horses/racing'" in document["error"]["problem"]
    assert "'my horses'" in document["error"]["problem"]
    assert "--rename" in document["error"]["cure"]


def _opened(uri: str) -> tuple[MlflowTrackingStore, MlflowArtifactStore]:
    key = DEFAULT_VOCABULARY.key("run.key")
    return MlflowTrackingStore(uri, run_key_tag=key), MlflowArtifactStore(uri)
