"""Runs that an older tool recorded take part in decisions, under the keys that it gave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from studbook.domain.errors import NoCandidate
from studbook.domain.stage import Stage
from studbook.entrypoints.studbook import Studbook
from studbook.ports.run_query import ANY_STATUS, RunQuery

STUDY = "ab" * 32


def _record(client: object, experiment: str, scores: Mapping[str, float]) -> dict[str, str]:
    """A sweep with trials and their refits, as the older tool left them; the refits' ids by trial."""
    from mlflow import MlflowClient

    assert isinstance(client, MlflowClient)
    place = client.create_experiment(experiment)
    sweep = client.create_run(
        place,
        tags={
            "code.stage": "hpo",
            "code.study_key_hash": STUDY,
            "code.study.key_schema_version": "2.0",
            "code.objective.direction": "maximize",
        },
    ).info.run_id
    client.log_param(sweep, "objective_metric", "macro_f1")
    client.log_param(sweep, "backbone", "bert-base")
    refits = {}
    for name, score in scores.items():
        keys = {"code.study_key_hash": STUDY, "code.trial_key_hash": name * 64}
        trial = client.create_run(
            place, tags={"code.stage": "hpo", "mlflow.parentRunId": sweep, **keys}
        ).info.run_id
        client.log_metric(trial, "cv_mean", score)
        client.set_terminated(trial)
        refit = client.create_run(
            place,
            tags={
                "code.stage": "hpo_refit",
                "mlflow.parentRunId": sweep,
                "code.refit.of_trial_run_id": trial,
                "code.artifact.available": "true",
                **keys,
            },
        ).info.run_id
        client.set_terminated(refit)
        refits[name] = refit
    client.set_terminated(sweep)
    return refits


def _open(folder: Path, settings: str = "") -> Studbook:
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    (folder / "studbook.yaml").write_text(
        f"project: demo\ntracking: {{uri: '{uri}'}}\ndelivery: {{mode: inline}}\n{settings}"
    )
    return Studbook.open(config=folder / "studbook.yaml")


@pytest.mark.parametrize(
    ("experiment", "settings"),
    [("demo-hpo-bert-base", ""), ("old searches", "legacy: {experiments: [old searches]}\n")],
    ids=["found by its name", "listed"],
)
def test_the_best_legacy_trial_is_chosen(tmp_path: Path, experiment: str, settings: str) -> None:
    from mlflow import MlflowClient

    refits = _record(MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}"), experiment, {"c": 0.8, "d": 0.9})
    with _open(tmp_path, settings) as book:
        winner = book.select("best_metric").result.winner
        assert (winner.family, winner.refit) == ("bert-base", f"run:{refits['d']}")
        report = book.champions(champions={"min_trials": 1})
        assert [champion.family for champion in report.champions] == ["bert-base"]
        (recorded,) = book.container.catalog().find([Stage.SELECTION])
        assert recorded.status == "FINISHED"


@pytest.mark.parametrize("experiment", ["other-hpo-bert-base", "demo-hpo", "demo-hpo-a-hpo-b"])
def test_legacy_runs_elsewhere_take_no_part(tmp_path: Path, experiment: str) -> None:
    from mlflow import MlflowClient

    _record(MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}"), experiment, {"c": 0.8})
    with _open(tmp_path) as book, pytest.raises(NoCandidate):
        book.select("best_metric")


def test_experiments_that_our_own_template_names_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "naming.yaml").write_text("experiment: '{project}-{group}-{model}'\n")
    with _open(tmp_path) as book:
        with book.run("mine", stage="hpo_trial"):
            pass
        book.flush()
        catalog = book.container.catalog()
        assert list(book.runs(RunQuery(catalog.experiments(), ANY_STATUS)))
        assert catalog.legacy() == ()
