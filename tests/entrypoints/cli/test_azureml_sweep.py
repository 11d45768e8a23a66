"""`--azureml-sweep`: sweeps that Azure ML ran by itself, on the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_stand_in.sweeps import ServiceSweep, run_sweep
from azureml_stand_in.workspace import URI, StandIn
from entrypoints.cli.many_calls import Answer, answers_to
from servers.mlflow_server import Server

# name: (arguments, exit code, type, words of the message)
_BAD: dict[str, tuple[list[str], int, str, str]] = {
    "absent": (["champions", "--azureml-sweep", "absent"], 3, "SweepJobNotFound", "has no job absent"),
    "training": (["champions", "--azureml-sweep", "training"], 2, "NotASweepJob", "a Command job"),
    "queued": (
        ["select", "--azureml-sweep", "queued"],
        3,
        "SweepJobNotFound",
        "is Queued, and has no run yet",
    ),
    "elsewhere": (
        ["--tracking-uri", "memory://", "champions", "--azureml-sweep", "hill"],
        2,
        "NoSweepJobs",
        "memory:// runs no sweep jobs",
    ),
    "no_name": (["select", "--azureml-sweep", "no/name"], 2, "InvalidInput", "no name of a job"),
    "no_sweep": (["champions", "--data-version", "1"], 2, "UsageError", "give --azureml-sweep"),
    "childless": (["select", "--azureml-sweep", "{childless}"], 3, "NoCandidate", "has no children"),
}


@pytest.fixture(scope="module")
def sweep(azure: StandIn, server: Server) -> ServiceSweep:
    return run_sweep(azure.workspace, server.uri, [0.7, 0.9, 0.8], best=0, tags={"data_version": "3"})


@pytest.fixture(scope="module")
def answers(
    azure: StandIn, server: Server, sweep: ServiceSweep, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Answer]]:
    """All calls, on the workspace."""
    jobs = azure.workspace.jobs
    jobs.plant("training", jobType="Command")
    jobs.plant_sweep("queued", metric="acc", status="Queued")
    childless = run_sweep(azure.workspace, server.uri, [])
    named = ["--azureml-sweep", sweep.name]
    calls = {
        "champions": [
            "champions",
            "--azureml-sweep",
            f"{sweep.name}=forest",
            "--data-version",
            "9",
            "--json",
        ],
        "champions_table": ["champions", *named],
        "select": ["select", *named, "--dry-run", "--json"],
        "select_table": ["select", *named, "--dry-run"],
    }
    for name, (arguments, *_) in _BAD.items():
        words = [word.format(childless=childless.name) for word in arguments]
        calls |= {f"{name} text": words, f"{name} json": ["--json", *words]}
    yield answers_to(
        [(name, ["--tracking-uri", URI, *words]) for name, words in calls.items()],
        tmp_path_factory.mktemp("project"),
        azure.variables,
    )
    azure.workspace.forget()


def test_champions_are_told_with_their_pages(answers: dict[str, Answer], sweep: ServiceSweep) -> None:
    assert answers["champions"].code == 0, answers["champions"].err
    document = answers["champions"].document
    (champion,) = document["champions"]
    assert (champion["family"], champion["trial"]) == ("forest", f"run:{sweep.children[1]}")
    assert (champion["value"], champion["dataset_version"]) == (0.9, "3")
    assert champion["url"].startswith(f"https://ml.azure.com/runs/{sweep.children[1]}")
    assert [group["n_valid"] for group in document["groups"]] == [3]
    assert [warning["code"] for warning in document["warnings"]] == ["SERVICE_BEST_DIFFERS"]


def test_people_get_a_table_and_the_warnings(answers: dict[str, Answer], sweep: ServiceSweep) -> None:
    head, _rule, row, warning = answers["champions_table"].out.splitlines()
    assert head.split() == ["family", "trial", "files", "metric", "value", "level", "trials"]
    assert row.split() == ["unknown", f"run:{sweep.children[1]}", "trial", "acc", "0.9", "0.9", "3"]
    assert warning.startswith("Warning SERVICE_BEST_DIFFERS")
    assert sweep.children[0] in warning


def test_a_child_is_selected(answers: dict[str, Answer], sweep: ServiceSweep) -> None:
    winner = answers["select"].document["winner"]
    assert (winner["trial"], winner["tags"]) == (f"run:{sweep.children[1]}", {"dataset_version": "3"})
    assert all(f"run:{child}" in answers["select_table"].out for child in sweep.children)


@pytest.mark.parametrize("name", _BAD)
def test_what_is_no_sweep_is_told_with_what_to_do(answers: dict[str, Answer], name: str) -> None:
    _, code, kind, words = _BAD[name]
    text, document = answers[f"{name} text"], answers[f"{name} json"]
    assert (text.code, text.out, document.code) == (code, "", code)
    assert "Traceback" not in text.err + document.err
    error = document.document["error"]
    assert (error["type"], error["exit_code"]) == (kind, code)
    assert error["cure"]
    assert words in error["problem"]
    assert words in text.err
