"""File stores: one that MLflow makes itself, in another process, and folders as its format documents them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_MAKE = """
import json, math, sys
from mlflow.tracking import MlflowClient

client = MlflowClient(sys.argv[1])
experiment = client.create_experiment("old/exp 1")
tags = {"team": "a b", "long/key": "x" * 3000, "mlflow.note.content": "naïve\\r\\nnote\\n"}
parent = client.create_run(experiment, run_name="parent", tags=tags, start_time=1700000000000)
child_tags = {"mlflow.parentRunId": parent.info.run_id}
child = client.create_run(experiment, run_name="kid", tags=child_tags, start_time=1600000000000)
for run_id in (parent.info.run_id, child.info.run_id):
    client.log_param(run_id, "lr/x", "0.1\\n 2")
    client.log_param(run_id, "empty", "")
    for step, value in enumerate([1.0, math.nan, math.inf, -math.inf, 2.5, 1e-300]):
        client.log_metric(run_id, "loss/val", value, timestamp=1700000000000 + step, step=step)
    client.log_metric(run_id, "once", 0.5, timestamp=1700000000000, step=-2)
    client.log_text(run_id, "hello\\n", "dir/a.txt")
    client.log_text(run_id, "", "empty.txt")
client.set_terminated(child.info.run_id, "FAILED", end_time=1700000009000)
deleted = client.create_run(experiment, run_name="gone", start_time=1700000000001)
client.delete_run(deleted.info.run_id)
trashed = client.create_experiment("trashed")
client.create_run(trashed)
client.delete_experiment(trashed)

answer = {}
for run in client.search_runs([experiment], run_view_type=3):
    answer[run.info.run_id] = {
        "name": run.info.run_name,
        "status": run.info.status,
        "lifecycle": run.info.lifecycle_stage,
        "started": run.info.start_time,
        "ended": run.info.end_time,
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": {
            name: [[p.step, p.timestamp, repr(p.value)] for p in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        },
    }
json.dump(answer, sys.stdout)
"""


def make_with_mlflow(root: Path) -> dict[str, Any]:
    """A store with runs of every kind; what MLflow itself reads of it, by run id."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STUDBOOK_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _MAKE, root.as_uri()],
        env={**kept, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_run(root: Path, run_id: str, meta: str, files: dict[str, str], *, experiment: str = "1") -> Path:
    """A run's folder, by hand, in an experiment named `by hand`."""
    folder = root / experiment / run_id
    folder.mkdir(parents=True)
    (root / experiment / "meta.yaml").write_text(f"experiment_id: '{experiment}'\nname: by hand\n")
    (folder / "meta.yaml").write_text(meta)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder
