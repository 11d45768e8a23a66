"""A file store is read as MLflow reads it, and otherwise only where MLflow loses something."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.mlflow_files.file_store import make_with_mlflow, write_run
from studbook.adapters.mlflow_files.file_source import MlflowFileArtifacts
from studbook.adapters.mlflow_files.run_source import MlflowFileSource
from studbook.domain.errors import ArtifactNotFound, MalformedRun, RunNotFound
from studbook.domain.run import RunStatus
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.metric_points import canonical_value
from studbook.ports.run_query import ANY_STATUS, Order, RunQuery

BOTH = frozenset(Lifecycle)
META = "status: 3\nstart_time: 5\nend_time: 9\nrun_name: by hand\nlifecycle_stage: active\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("real") / "mlruns"
    return root, make_with_mlflow(root)


def everything(source: MlflowFileSource, **query: Any) -> list[StoredRun]:
    return list(source.find(RunQuery(source.experiments(), ANY_STATUS, lifecycles=BOTH, **query)))


class TestAStoreThatMlflowMade:
    def test_runs_are_read_as_mlflow_reads_them(self, made: tuple[Path, dict[str, Any]]) -> None:
        root, told = made
        source = MlflowFileSource(root)
        runs = everything(source)
        assert {run.run_id for run in runs} == set(told)
        for run in runs:
            says = told[run.run_id]
            assert (run.name, run.status, run.lifecycle) == (says["name"], says["status"], says["lifecycle"])
            assert (run.started_at_ms, run.ended_at_ms) == (says["started"], says["ended"])
            assert (run.params, run.tags) == (says["params"], says["tags"])
            assert run.parent_id == says["tags"].get("mlflow.parentRunId")
            assert run.metrics.keys() == says["metrics"].keys()
            for name, points in says["metrics"].items():
                history = source.metric_history(run.run_id, name)
                assert sorted([p.step, p.timestamp_ms, repr(p.value)] for p in history) == sorted(points)

    def test_only_active_experiments_are_there(self, made: tuple[Path, dict[str, Any]]) -> None:
        assert MlflowFileSource(made[0]).experiments() == ("Default", "old/exp 1")

    def test_files_come_as_they_are(self, made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        source = MlflowFileSource(made[0])
        files = MlflowFileArtifacts(source)
        run = next(run for run in everything(source) if run.name == "kid")
        assert [(file.path, file.size) for file in files.list_files(run.run_id)] == [
            ("dir/a.txt", 6),
            ("empty.txt", 0),
        ]
        assert files.read(run.run_id, "dir/a.txt") == b"hello\n"
        assert len(files.fetch_file(run.run_id, "dir/a.txt", tmp_path / "file")) == 64
        assert (tmp_path / "file").read_bytes() == b"hello\n"
        with pytest.raises(ArtifactNotFound):
            files.read(run.run_id, "nothing")

    def test_a_folder_that_was_moved_brings_its_files_along(
        self, made: tuple[Path, dict[str, Any]], tmp_path: Path
    ) -> None:
        root, _ = made
        moved = tmp_path / "moved" / "mlruns"
        shutil.copytree(root, moved)
        for meta in moved.rglob("meta.yaml"):
            meta.write_text(meta.read_text().replace(str(root), "/somewhere/else"))
        source = MlflowFileSource(moved)
        run = next(run for run in everything(source) if run.name == "kid")
        assert MlflowFileArtifacts(source).read(run.run_id, "dir/a.txt") == b"hello\n"

    def test_queries_are_answered_as_every_store_answers(self, made: tuple[Path, dict[str, Any]]) -> None:
        source = MlflowFileSource(made[0])
        runs = everything(source)
        assert [run.name for run in runs] == ["kid", "parent", "gone"]
        assert everything(source, order=Order.STARTED_DESCENDING) == runs[::-1]
        assert everything(source, limit=2) == runs[:2]
        assert [run.name for run in everything(source, tags={"team": "a b"})] == ["parent"]
        assert [run.name for run in everything(source, has_metrics=frozenset({"once"}))] == ["kid", "parent"]
        (failed,) = source.find(RunQuery(("old/exp 1", "no such"), frozenset({RunStatus.FAILED})))
        assert failed == runs[0] == source.get_run(failed.run_id)
        (bare,) = everything(source, tags={"team": "a b"}, tag_fields=frozenset(), metric_fields=frozenset())
        assert (bare.tags, bare.metrics, bare.params) == ({}, {}, runs[1].params)
        assert list(source.find(RunQuery(("old/exp 1",), ANY_STATUS))) == runs[:2]


class TestTheFormat:
    def test_lines_of_every_age_are_read(self, tmp_path: Path) -> None:
        lines = "1700000000000 0.5\n1700000000001 nan 3\n1700000000001 nan 3\n1700000000002 -inf 4 data 0ab\n"
        write_run(tmp_path, "r1", META, {"metrics/a/b": lines, "metrics/none": ""})
        source = MlflowFileSource(tmp_path)
        points = source.metric_history("r1", "a/b")
        assert [(p.step, p.timestamp_ms - 1_700_000_000_000) for p in points] == [(0, 0), (3, 1), (4, 2)]
        assert math.isnan(points[1].value)
        assert points[2].value == canonical_value(-math.inf)
        assert source.get_run("r1").metrics == {"a/b": -math.inf}
        assert source.metric_history("r1", "../../meta.yaml") == ()

    def test_old_files_say_less(self, tmp_path: Path) -> None:
        write_run(tmp_path, "r1", "start_time: 1\nname: ''\n", {"tags/mlflow.runName": "by tag"})
        run = MlflowFileSource(tmp_path).get_run("r1")
        assert (run.name, run.status, run.lifecycle) == ("by tag", RunStatus.RUNNING, Lifecycle.ACTIVE)
        assert (run.started_at_ms, run.ended_at_ms, run.experiment) == (1, None, "by hand")

    @pytest.mark.parametrize(
        ("meta", "files"),
        [
            ("", {}),
            ("a: [", {}),
            ("- a", {}),
            ("status: 9\n", {}),
            ("lifecycle_stage: lost\n", {}),
            ("start_time: soon\n", {}),
            (META, {"metrics/m": "1 2 3 4\n"}),
            (META, {"metrics/m": "1 x 3\n"}),
        ],
    )
    def test_what_is_damaged_is_named(self, tmp_path: Path, meta: str, files: dict[str, str]) -> None:
        folder = write_run(tmp_path, "r1", meta, files)
        with pytest.raises(MalformedRun) as caught:
            everything(MlflowFileSource(tmp_path))
        assert str(folder) in caught.value.problem

    def test_a_run_without_its_meta_file_is_not_passed_over(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path, "r1", META, {"params/p": "1"})
        (folder / "meta.yaml").unlink()
        with pytest.raises(MalformedRun, match="not there"):
            everything(MlflowFileSource(tmp_path))

    def test_text_that_is_no_text_is_named(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path, "r1", META, {"params/p": ""})
        (folder / "params" / "p").write_bytes(b"\xff")
        with pytest.raises(MalformedRun, match="UTF-8"):
            MlflowFileSource(tmp_path).get_run("r1")

    def test_what_is_no_run_is_left_alone(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path, "r1", META, {})
        for name in ("tags", "datasets", "traces", "models"):
            (folder.parent / name / "m-1").mkdir(parents=True)
        (tmp_path / "models" / "registered").mkdir(parents=True)
        (tmp_path / "a file").touch()
        assert [run.run_id for run in everything(MlflowFileSource(tmp_path))] == ["r1"]

    @pytest.mark.parametrize("run_id", ["r2", "", "..", "../1/r1", "tags"])
    def test_a_run_that_is_not_there_is_not_found(self, tmp_path: Path, run_id: str) -> None:
        write_run(tmp_path, "r1", META, {"tags/t": "1"})
        with pytest.raises(RunNotFound):
            MlflowFileSource(tmp_path).get_run(run_id)

    @pytest.mark.parametrize(
        "said", ["{folder}/elsewhere", "file://{folder}/elsewhere", "file://{folder}/else%77here"]
    )
    def test_files_lie_where_the_run_says(self, tmp_path: Path, said: str) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "f").write_bytes(b"1")
        write_run(tmp_path, "r1", f"{META}artifact_uri: {said.format(folder=tmp_path)}\n", {})
        files = MlflowFileArtifacts(MlflowFileSource(tmp_path))
        assert [file.path for file in files.list_files("r1")] == ["f"]

    def test_files_in_a_bucket_are_not_taken_for_none(self, tmp_path: Path) -> None:
        write_run(tmp_path, "r1", f"{META}artifact_uri: s3://key:hush@bucket/1/r1/artifacts\n", {})
        with pytest.raises(ArtifactNotFound) as caught:
            MlflowFileArtifacts(MlflowFileSource(tmp_path)).list_files("r1")
        assert "s3://bucket" in caught.value.problem
        assert "hush" not in str(caught.value)
