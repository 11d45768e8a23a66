"""Questions to a real workspace that its documentation leaves open. studbook relies on none of the answers; each
test fails only on one that studbook could not live with.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from live.answers import ANSWERS
from live.raw_calls import RawCalls
from studbook.adapters.azureml.artifact_store import AzureArtifactStore
from studbook.adapters.azureml.workspace import Workspace
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.run import RunStatus
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, fresh_name, metric, new_run
from studbook.ports.run_query import ANY_STATUS, RunQuery

_LONGEST_WAIT_S = 300.0
_PAUSE_S = 0.5
_OUR_TAGS = 36
_UNKNOWN = "f" * 8 + "-0000-0000-0000-" + "0" * 12


@pytest.fixture
def run(live_store: MlflowTrackingStore, raw: RawCalls) -> dict[str, Any]:
    """A new run, as the service tells of it."""
    run_id = live_store.create_run(new_run(fresh_name()))
    found: dict[str, Any] = raw.mlflow("runs/get", {"run_id": run_id}, "GET").document["run"]
    return found


def _tags(told: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in told["data"].get("tags", [])}


def test_writing_to_a_run_that_has_ended(
    live_store: MlflowTrackingStore, raw: RawCalls, run: dict[str, Any]
) -> None:
    run_id = run["info"]["run_id"]
    live_store.end_run(run_id, RunStatus.FINISHED, START + 5)
    point = {"key": "late", "value": 1.0, "timestamp": START, "step": 0}
    ANSWERS.tell(
        "a metric after the end", raw.mlflow("runs/log-batch", {"run_id": run_id, "metrics": [point]})
    )
    reopened = raw.mlflow("runs/update", {"run_id": run_id, "status": "RUNNING"})
    status = raw.mlflow("runs/get", {"run_id": run_id}, "GET").document["run"]["info"]["status"]
    ANSWERS.tell("reopening an ended run", f"{reopened}; it is {status} then")
    assert reopened.status < 500


def test_a_path_whose_upload_died(raw: RawCalls, run: dict[str, Any], live_workspace: Workspace) -> None:
    asked = {"paths": [{"path": "died/file.bin"}]}
    first = raw.artifacts(run, "/batch/metadata", asked, "POST")
    again = raw.artifacts(run, "/batch/metadata", asked, "POST")
    ANSWERS.tell(
        "a path once more whose upload died",
        f"{again}; errors: {', '.join(again.document.get('errors') or {}) or 'none'}",
    )
    link = first.document["artifactContentInformation"]["died/file.bin"]["contentUri"]
    until = datetime.fromisoformat(parse_qs(urlsplit(link).query)["se"][0])
    minutes = (until - datetime.now(UTC)).total_seconds() / 60
    ANSWERS.tell("how long a signed address is good", f"{minutes:.0f} minutes")
    there = requests.head(link, timeout=60).status_code
    ANSWERS.tell("what is behind such a path", "a blob" if there < 300 else f"nothing ({there})")
    listed = {file.path for file in AzureArtifactStore(live_workspace).list_files(run["info"]["run_id"])}
    ANSWERS.tell("whether such a path is listed", "died/file.bin" in listed)
    assert minutes > 1


@pytest.mark.parametrize("length", [500, 501, 6000, 6001])
def test_how_long_a_param_may_be(raw: RawCalls, run: dict[str, Any], length: int) -> None:
    param = {"key": f"p{length}", "value": "v" * length}
    told = raw.mlflow("runs/log-batch", {"run_id": run["info"]["run_id"], "params": [param]})
    ANSWERS.tell(f"a param of {length} characters", told)
    assert told.status < 300 or length > 500


def test_how_many_tags_a_run_takes(raw: RawCalls, run: dict[str, Any]) -> None:
    run_id, given = run["info"]["run_id"], len(_tags(run))
    for number in range(60):
        told = raw.mlflow("runs/set-tag", {"run_id": run_id, "key": f"t{number}", "value": "v"})
        if told.status >= 300:
            break
    else:
        number = 60
    ANSWERS.tell("tags that a run takes", f"{number} beside {given} that are there at its creation ({told})")
    assert number + given >= _OUR_TAGS


@pytest.mark.parametrize("page", [500, 999, 1000])
def test_how_long_a_page_may_be(raw: RawCalls, run: dict[str, Any], page: int) -> None:
    asked = {"experiment_ids": [run["info"]["experiment_id"]], "max_results": page}
    told = raw.mlflow("runs/search", asked)
    ANSWERS.tell(f"a search page of {page}", told)
    assert told.status < 300 or page > 500


def test_logged_models(raw: RawCalls, run: dict[str, Any]) -> None:
    asked = {"experiment_ids": [run["info"]["experiment_id"]]}
    told = raw.mlflow("logged-models/search", asked)
    ANSWERS.tell("searching logged models", told)
    assert told.status < 500


def test_when_a_new_run_is_seen(live_store: MlflowTrackingStore) -> None:
    new = new_run(fresh_name())
    run_id = live_store.create_run(new)
    began = time.monotonic()
    pause = threading.Event()
    while run_id not in {run.run_id for run in live_store.find(RunQuery((new.experiment,), ANY_STATUS))}:
        assert time.monotonic() - began < _LONGEST_WAIT_S, "a new run is not seen"
        pause.wait(_PAUSE_S)
    ANSWERS.tell("seconds until a search shows a new run", f"{time.monotonic() - began:.1f}")


def test_which_tags_of_a_creation_are_kept(raw: RawCalls, run: dict[str, Any]) -> None:
    tags = [{"key": RUN_KEY_TAG, "value": "k"}, {"key": "mlflow.source.name", "value": "train.py"}]
    asked = {"experiment_id": run["info"]["experiment_id"], "start_time": START, "tags": tags}
    made = raw.mlflow("runs/create", asked).document["run"]["info"]["run_id"]
    kept = _tags(raw.mlflow("runs/get", {"run_id": made}, "GET").document["run"])
    ANSWERS.tell("the run key's tag is kept at creation", RUN_KEY_TAG in kept)
    ANSWERS.tell("mlflow.source.name is kept at creation", "mlflow.source.name" in kept)
    ANSWERS.tell("tags of the service itself", ", ".join(sorted(kept.keys() - {tag["key"] for tag in tags})))


def test_a_metric_of_the_newest_search(live_store: MlflowTrackingStore, raw: RawCalls) -> None:
    new = new_run(fresh_name())
    run_id = live_store.create_run(new)
    live_store.record(run_id, metric("loss", 0.5))
    assert live_store.get_run(run_id).metrics == {"loss": 0.5}
    (experiment,) = {
        raw.mlflow("runs/get", {"run_id": run_id}, "GET").document["run"]["info"]["experiment_id"]
    }
    found = raw.mlflow("runs/search", {"experiment_ids": [experiment]}).document.get("runs", [])
    seen = [one for one in found if one["info"]["run_id"] == run_id]
    ANSWERS.tell(
        "a search right after a metric", "has it" if seen and seen[0]["data"].get("metrics") else "lacks it"
    )


@pytest.mark.parametrize("version", ["2023-10-01", "2024-10-01-preview"])
def test_versions_of_the_resource_manager(raw: RawCalls, version: str) -> None:
    told = raw.resource(version)
    place = (told.document.get("properties") or {}).get("mlFlowTrackingUri")
    ANSWERS.tell(
        f"the resource manager's {version}", f"{told}; {'names' if place else 'lacks'} the tracking URI"
    )
    assert version != "2023-10-01" or place


def test_a_run_that_is_not_there(raw: RawCalls) -> None:
    told = raw.mlflow("runs/get", {"run_id": _UNKNOWN}, "GET")
    ANSWERS.tell("a run that is not there", f"{told}; {told.document.get('error_code')}")
    assert 400 <= told.status < 500
