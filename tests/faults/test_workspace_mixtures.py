"""Faults of all kinds at an Azure ML workspace, drawn from a seed: it holds all that was logged once in the end."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from dependency_injector import providers

from azureml_stand_in.faults import TOKENS, refusal
from azureml_stand_in.workspace import URI, Workspace
from faults.acknowledged import assert_stored
from faults.fault_home import FaultHome
from faults.http_faults import Answer, AnswerAfter, Cut, Fault, ResetAfter, ResetBefore
from faults.seeds import every_seed
from faults.served import training
from faults.stored_state import RUN_KEY_TAG
from faults.workload import Call, Workload
from studbook.adapters.azureml.tracking_store import AZURE_LIMITS, azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target

_ROUNDS = 4
_WRITES = ("/runs/create", "/runs/log-batch", "/runs/update")
_ENDPOINTS = (*_WRITES, "/runs/search", "/runs/get", "/experiments/", "/api/2.0/mlflow/")
_SERVER_ERRORS = (500, 502, 503, 504)
_LAGGING = replace(AZURE_LIMITS, visibility_delay_s=1.0)
"""As slow as the stand-in's searches are: a minute would be too long for a test."""
_UNHURRIED_S = 120.0


def any_fault(draw: random.Random) -> Fault:
    """A fault that passes by itself."""
    return draw.choice(
        (
            refusal(429, "TooManyRequests"),
            refusal(429, "TooManyRequests", retry_after_s=1),
            Answer(draw.choice((408, *_SERVER_ERRORS))),
            AnswerAfter(draw.choice(_SERVER_ERRORS)),
            ResetBefore(),
            ResetAfter(),
            Cut(draw.randrange(20), announced=draw.random() < 0.5),
        )
    )


def misfortune(workspace: Workspace, draw: random.Random) -> None:
    """Something goes wrong with the next requests, and passes by itself."""
    workspace.search_lag = draw.randrange(2)
    workspace.rules = replace(workspace.rules, search_lags=draw.random() < 0.5)
    for endpoint in (draw.choice(_WRITES), draw.choice(_ENDPOINTS)):
        workspace.on(endpoint, any_fault(draw), times=draw.randrange(1, 3))
    if draw.random() < 0.5:
        workspace.revoke_tokens()
        workspace.on(TOKENS, Answer(draw.choice(_SERVER_ERRORS)), times=draw.randrange(3))


def deliver(home: FaultHome) -> None:
    """By a relay of its own, which ends what the dead left open first."""
    target = Target.of(URI, credential="environment", cloud="AzureCloud")
    container = home.container()
    container.tracking_store.override(
        providers.Object(azure_tracking_store(target, run_key_tag=RUN_KEY_TAG, capabilities=_LAGGING))
    )
    assert container.relay().drain(_UNHURRIED_S).refused == 0
    container.event_log().close()
    container.tracking_store().close()


@every_seed
def test_nothing_is_lost_or_stored_twice(workspace_home: FaultHome, workspace: Workspace, seed: int) -> None:
    home, draw, calls = workspace_home, random.Random(seed), []
    with home.open_book("manual") as book:
        work = Workload(book, seed, home.folder / "sources")
        for _ in range(_ROUNDS):
            misfortune(workspace, draw)
            calls += [work.step() for _ in range(draw.randrange(1, 60))]
            deliver(home)
    deliver(home)
    asked = {one.path.partition("?")[0] for one in workspace.requests()}
    workspace.forget()
    assert home.is_settled()
    state = home.state()
    assert state == home.expected()
    assert_stored([*calls, *(Call("end", key, value=run.status) for key, run in state.items())], state)
    assert not [path for path in asked if "logged-models" in path or "/api/3.0" in path]


@pytest.mark.parametrize("endpoint", _WRITES)
@pytest.mark.parametrize("fault", [AnswerAfter(503), ResetAfter(), Cut(5, announced=True)])
def test_what_a_workspace_did_and_did_not_confirm_is_stored_once(
    workspace_home: FaultHome, workspace: Workspace, endpoint: str, fault: Fault
) -> None:
    workspace.on(endpoint, fault, times=2)
    with training(workspace_home, "inline") as trains:
        trains.goes_on(30)
        trains.is_delivered()
        created = [one for one in workspace.requests("/runs/create") if one.committed == 200]
        assert len(created) == len({call.run for call in trains.calls})


def test_a_relay_process_stores_all_once(workspace_home: FaultHome, workspace: Workspace) -> None:
    with training(workspace_home, "sidecar") as trains:
        trains.goes_on(30)
        trains.is_delivered()
        workspace.revoke_tokens()
        for endpoint in _WRITES:
            workspace.on(endpoint, refusal(429, "TooManyRequests", retry_after_s=1))
            workspace.on(endpoint, AnswerAfter(503))
        trains.goes_on(60)
