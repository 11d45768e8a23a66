"""The workspace that `STUDBOOK_TEST_AZURE_URI` names, and a table of what it answered.

Experiments are named `studbook-live-<stamp>-…`; their runs are archived at the end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from live.answers import ANSWERS
from live.raw_calls import RawCalls
from studbook.adapters.azureml.tracking_store import azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.config.tracking_target import workspace_uri
from studbook.ports.contract.tracking_examples import NAMES_BEGIN_WITH, RUN_KEY_TAG
from studbook.ports.run_query import ANY_STATUS, RunQuery

_PLACE = "STUDBOOK_TEST_AZURE_URI"
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the workspace."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.live)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The answers, for people."""
    if ANSWERS.rows:
        terminalreporter.section("what the workspace answered")
        terminalreporter.write_line("\n".join(ANSWERS.lines()))


@pytest.fixture(scope="session")
def live_workspace() -> Workspace:
    """Not opened yet."""
    uri = os.environ.get(_PLACE)
    assert uri, f"set {_PLACE} to the tracking URI of a workspace that tests may write to"
    return Workspace.of(workspace_uri(uri), credential="default", cloud="AzureCloud")


@pytest.fixture(scope="session")
def live_store(live_workspace: Workspace) -> Iterator[MlflowTrackingStore]:
    """The store that all tests write to."""
    prefix = f"studbook-live-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    store = azure_tracking_store(live_workspace, run_key_tag=RUN_KEY_TAG)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(NAMES_BEGIN_WITH, prefix)
        yield store
    ours = tuple(name for name in store.experiments() if name.startswith(prefix))
    for run in store.find(RunQuery(ours, ANY_STATUS)):
        store.delete_run(run.run_id)
    store.close()


@pytest.fixture(scope="session")
def raw(live_workspace: Workspace) -> RawCalls:
    """Requests without an adapter."""
    return RawCalls(live_workspace)
