"""The stand-in's workspace as a target, and runs in it."""

from __future__ import annotations

import pytest

from azureml_stand_in.workspace import URI, Workspace
from studbook.adapters.azureml.tracking_store import azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.ports.contract.artifact_store import MakeRun
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run


@pytest.fixture
def target(workspace: Workspace) -> Target:
    """The stand-in's workspace."""
    return Target.of(URI, credential="environment", cloud="AzureCloud")


@pytest.fixture
def make_run(target: Target) -> MakeRun:
    """Makes runs in it."""
    runs = azure_tracking_store(target, run_key_tag=RUN_KEY_TAG)
    experiment = fresh_name()
    return lambda: runs.create_run(new_run(experiment))
