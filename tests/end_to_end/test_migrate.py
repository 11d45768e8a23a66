"""Migrations between real stores, by the command line and by hand."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings

from adapters.mlflow_files.file_store import make_with_mlflow, write_run
from application.migration_world import BOTH, MARK, Spec, World, fill, held, stores
from end_to_end.migration_call import migrate, start
from faults.waiting import wait_for
from servers.mlflow_server import Server, bare_app
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint
from studbook.domain.stored_run import Lifecycle
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.contract.tracking_examples import START
from studbook.ports.run_query import ANY_STATUS, RunQuery

SPECS = [
    Spec(
        "horses",
        "parent",
        params={"lr": "0.1", "long": "p" * 5000},
        tags={"team": "a b", "mlflow.note.content": "naïve\nnote"},
        points=tuple(MetricPoint("loss", i / 7, START + i, i) for i in range(2500)),
        files={"model/weights.bin": bytes(range(256)) * 500, "log.txt": b""},
        ended=START + 60,
    ),
    Spec("horses", "child", parent=0, status=RunStatus.FAILED, ended=START + 9, params={"lr": "1"}),
    Spec("horses", "open", parent=0, status=RunStatus.RUNNING),
    Spec("cows", "in the bin", deleted=True, ended=START + 5),
]


def opened(uri: str) -> tuple[MlflowTrackingStore, MlflowArtifactStore]:
    key = DEFAULT_VOCABULARY.key("run.key")
    return MlflowTrackingStore(uri, run_key_tag=key), MlflowArtifactStore(uri)


def new_database(folder: Path, empty_database: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database, folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


def test_memory_to_sqlite_keeps_what_any_store_holds(empty_database: Path) -> None:
    @settings(max_examples=12)
    @given(stores(most=3))
    def check(specs: list[Spec]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            store, files = opened(new_database(place, empty_database))
            with closing(store), closing(files):
                world = World(place / "stage", destination=(store, files))
                fill(world.source, world.source_files, specs)
                world.run()
                world.run()
                assert held(store, files) == held(world.source, world.source_files)

    check()


@pytest.fixture
def empty_server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without runs."""
    with bare_app(tmp_path_factory.mktemp("server"), empty_database) as running:
        yield running


def test_sqlite_to_sqlite_and_on_to_a_server(
    empty_database: Path, empty_server: Server, tmp_path: Path
) -> None:
    first = new_database(tmp_path / "first", empty_database)
    store, files = opened(first)
    fill(store, files, SPECS)
    ours = held(store, files)
    for source, destination in ((first, f"sqlite:///{tmp_path}/made/new.db"), (first, empty_server.uri)):
        code, document, said = migrate(tmp_path, source, destination, "--deleted")
        assert (code, document["copied"], document["equal"], document["runs"]) == (0, 4, True, 4)
        assert document["digests"]["source"] == document["digests"]["destination"]
        assert "copying" in said
        copies, copied_files = opened(destination)
        with closing(copies), closing(copied_files):
            assert held(copies, copied_files) == ours
        code, again, _ = migrate(tmp_path, source, destination, "--deleted")
        assert (code, again["copied"], again["already"], again["equal"]) == (0, 1, 3, True)
    store.close()
    files.close()


def test_an_old_file_store_to_sqlite(tmp_path: Path) -> None:
    told = make_with_mlflow(tmp_path / "mlruns")
    code, document, _ = migrate(tmp_path, "mlruns", "sqlite:///new.db", "--deleted")
    assert (code, document["copied"], document["equal"]) == (0, 3, True)
    store, files = opened(f"sqlite:///{tmp_path / 'new.db'}")
    with closing(store), closing(files):
        runs = list(store.find(RunQuery(("old/exp 1",), ANY_STATUS, lifecycles=BOTH)))
        for run in runs:
            says = told[run.tags[MARK].rpartition("/")[2]]
            assert (run.name, run.status, run.lifecycle) == (says["name"], says["status"], says["lifecycle"])
            assert run.params == says["params"]
        kid = next(run for run in runs if run.name == "kid")
        assert kid.parent_id is not None
        assert store.get_run(kid.parent_id).name == "parent"
        assert files.read(kid.run_id, "dir/a.txt") == b"hello\n"
        assert [run.name for run in runs if run.lifecycle is Lifecycle.DELETED] == ["gone"]


@pytest.mark.parametrize("lines", [3, 20])
def test_killed_at_any_moment_and_called_again_is_once(tmp_path: Path, lines: int) -> None:
    """The ledger's lines tell how far it has come; its end is lost half the times."""
    for number in range(15):
        meta = (
            f"status: 3\nstart_time: {number}\nend_time: 99\nrun_name: r{number}\nlifecycle_stage: active\n"
        )
        files = {"params/p": str(number), "metrics/m": "1 0.5 0\n2 0.25 1\n", "artifacts/f": "x" * number}
        write_run(tmp_path / "mlruns", f"{number:032x}", meta, files)
    process = start(tmp_path, "mlruns", "sqlite:///new.db")
    folder = tmp_path / ".studbook" / "migrations"

    def come_far() -> bool:
        written = sum(file.read_bytes().count(b"\n") for file in folder.glob("*.jsonl"))
        return written >= lines or process.poll() is not None

    wait_for("some of the copies", come_far)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    if lines == 20:
        for ledger in folder.glob("*.jsonl"):
            ledger.unlink()
    code, document, _ = migrate(tmp_path, "file:mlruns", "sqlite:///new.db")
    assert (code, document["equal"], document["runs"]) == (0, True, 15)
    with closing(sqlite3.connect(tmp_path / "new.db")) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (15,)
        assert database.execute("SELECT count(*) FROM metrics").fetchone() == (30,)


def test_differences_end_with_4_and_are_named(tmp_path: Path) -> None:
    meta = "status: 3\nstart_time: 1\nend_time: 99\nrun_name: r\nlifecycle_stage: active\n"
    run = write_run(tmp_path / "mlruns", "0" * 32, meta, {"params/p": "1"})
    assert migrate(tmp_path, "mlruns", "sqlite:///new.db")[0] == 0
    (run / "params" / "q").write_text("2")
    code, document, _ = migrate(tmp_path, "mlruns", "sqlite:///new.db", "--verify-only")
    (difference,) = document["differences"]
    assert (code, document["equal"], difference["what"]) == (4, False, ["param 'q' is missing"])
    out, _ = (process := start(tmp_path, "mlruns", "sqlite:///new.db", "--verify-only")).communicate()
    assert process.returncode == 4
    assert "param 'q' is missing" in out
    assert migrate(tmp_path, "mlruns", "sqlite:///new.db")[0] == 0


@pytest.mark.parametrize(
    ("source", "destination", "kind", "words"),
    [
        ("nowhere", "sqlite:///new.db", "ConfigError", "no MLflow file store"),
        ("sqlite:///nowhere.db", "sqlite:///new.db", "ConfigError", "no database"),
        ("mlruns", "elsewhere", "UnsupportedTarget", "studbook migrate"),
        ("mlruns", "memory://", "UnsupportedTarget", "store that lasts"),
        ("memory://", "sqlite:///new.db", "UnsupportedTarget", "store that lasts"),
        ("sqlite:///old.db", "sqlite:///./old.db", "SameStore", "another destination"),
    ],
)
def test_a_bad_end_is_a_usage_error_and_makes_nothing(
    tmp_path: Path, source: str, destination: str, kind: str, words: str
) -> None:
    write_run(tmp_path / "mlruns", "0" * 32, "start_time: 1\n", {})
    (tmp_path / "old.db").touch()
    code, document, _ = migrate(tmp_path, source, destination)
    assert (code, document["error"]["type"]) == (2, kind)
    assert words in document["error"]["problem"] + document["error"]["cure"]
    assert not (tmp_path / "new.db").exists()


def test_an_experiment_gets_another_name(tmp_path: Path) -> None:
    make_with_mlflow(tmp_path / "mlruns")
    arguments = ("mlruns", "sqlite:///new.db", "--rename", "old/exp 1=old-exp-1")
    code, document, _ = migrate(tmp_path, *arguments)
    assert (code, document["equal"]) == (0, True)
    with closing(sqlite3.connect(tmp_path / "new.db")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM experiments")}
    assert "old-exp-1" in names
    assert "old/exp 1" not in names
    assert migrate(tmp_path, *arguments[:2], "--verify-only")[0] == 4
    assert migrate(tmp_path, *arguments, "--verify-only")[0] == 0


@pytest.mark.parametrize("said", ["old", "=new", "old="])
def test_half_a_new_name_is_a_usage_error(tmp_path: Path, said: str) -> None:
    out, err = start(tmp_path, "mlruns", "sqlite:///new.db", "--rename", said).communicate(timeout=60)
    assert out == ""
    assert "give OLD=NEW" in err


def test_two_new_names_for_one_experiment_are_a_usage_error(tmp_path: Path) -> None:
    names = ("--rename", "a=b", "--rename", "a=c")
    process = start(tmp_path, "mlruns", "sqlite:///new.db", *names)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "two names" in err


def test_without_a_destination_runs_go_to_the_project(tmp_path: Path) -> None:
    make_with_mlflow(tmp_path / "mlruns")
    code, document, _ = migrate(tmp_path, "mlruns")
    assert (code, document["equal"]) == (0, True)
    assert document["destination"] == f"sqlite:///{tmp_path / 'mlflow.db'}"
    code, document, _ = migrate(tmp_path, "sqlite:///mlflow.db")
    assert (code, document["error"]["type"]) == (2, "SameStore")


def test_a_plan_makes_no_database(tmp_path: Path) -> None:
    write_run(tmp_path / "mlruns", "0" * 32, "start_time: 1\n", {})
    code, document, _ = migrate(tmp_path, "mlruns", "sqlite:///new.db", "--dry-run")
    assert (code, document["to_copy"]) == (0, 1)
    assert not (tmp_path / "new.db").exists()
    assert migrate(tmp_path, "mlruns", "sqlite:///new.db", "--dry-run", "--verify-only")[0] == 2
