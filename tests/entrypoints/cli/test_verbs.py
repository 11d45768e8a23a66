"""The verbs on a store: their answers, and how each bad call ends.

The frame's own tests call the real script.
"""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from entrypoints.cli.many_calls import Answer, answers_to

_TRAINING = """
import math
CALLS = []
def train(context):
    if context.fold is None:
        (context.output_dir / "weights.joblib").write_bytes(b"weights")
        return {"f1": 0.0}
    context.fold.train
    return {"f1": context.params["x"]}
def nan(context):
    return math.nan
def raises(context):
    raise ValueError("no such kernel")
def wrong_keys(context):
    return {"f2": 1.0, "acc": 0.5}
def interrupted(context):
    raise KeyboardInterrupt
"""

_STUDY: dict[str, Any] = {
    "name": "digits",
    "train": "training:train",
    "space": {"x": {"type": "float", "low": 0, "high": 1}},
    "objective": {"metric": "f1", "direction": "maximize"},
    "trials": 3,
    "folds": 2,
    "n_samples": 6,
    "sampler": {"algorithm": "random"},
    "refit": True,
}

_STUDIES: dict[str, dict[str, Any]] = {
    "study": {},
    "misspelt": {"trails": 3},
    "empty": {"space": {}},
    "nobody": {"train": "training:nobody"},
    **{
        name: {"name": name, "train": f"training:{name}", "trials": 1}
        for name in ("nan", "raises", "wrong_keys", "interrupted")
    },
}

_CALLS: dict[str, list[str]] = {
    "empty_runs": ["runs", "--json"],
    "no_candidate": ["select", "--json"],
    "no_champion": ["champions", "--json"],
    "no_champion_text": ["champions"],
    "sweep": ["sweep", "study.yaml", "--json"],
    "sweep_again": ["sweep", "study.yaml"],
    "sweep_more": ["sweep", "study.yaml", "--trials", "4", "--json"],
    "runs": ["runs", "--json"],
    "runs_table": ["runs", "--stage", "hpo_trial", "--stage", "hpo_refit", "--status", "finished"],
    "runs_limit": ["--json", "runs", "--limit", "1", "--family", "digits"],
    "runs_of_study": ["runs", "--study", "{sweep_study_key}", "--json"],
    "runs_of_name": ["runs", "--study", "digits", "--json"],
    "runs_csv": ["runs", "--csv"],
    "runs_csv_nothing": ["runs", "--metric", "f1 > 2", "--csv"],
    "runs_sorted": ["runs", "--stage", "hpo_trial", "--sort", "metrics.f1", "--descending", "--json"],
    "runs_best": [
        *(
            "runs",
            "--metric",
            "f1>=0",
            "--metric",
            "f1<=1",
            "--since",
            "1h",
            "--tag",
            "studbook.stage=hpo_trial",
        ),
        *("--sort", "metrics.f1", "--descending", "--limit", "1", "--columns", "ref,params.x,metrics.f1,url"),
    ],
    "runs_columns": ["--json", "runs", "--stage", "hpo_trial", "--columns", "ref, metrics.f1 ,ended_at"],
    "runs_of_old": ["runs", "--until", "2001-01-01", "--json"],
    "runs_two_forms": ["runs", "--csv", "--json"],
    "runs_nothing": ["runs", "--status", "KILLED", "--json"],
    "dry": ["select", "--policy", "best_metric", "--dry-run", "--json"],
    "select": ["select", "--policy", "best_metric", "--json"],
    "select_again": ["select", "--policy", "best_metric", "--metric", "f1", "--family", "digits", "--json"],
    "select_table": ["select", "--policy", "best_metric"],
    "champions": ["champions", "--family", "digits", "--json"],
    "champions_table": ["champions"],
    "acquire": ["acquire", "{select_ref}", "--to", "model", "--json"],
    "acquire_again": ["acquire", "{sweep_refit}", "--to", "model"],
    "lineage": ["lineage", "{select_ref}", "--json"],
    "lineage_tree": ["lineage", "{sweep_refit}"],
    "interrupted": ["sweep", "interrupted.yaml"],
}

# name: (arguments, exit code, type, words of the message)
_BAD: dict[str, tuple[list[str], int, str, str]] = {
    "no_file": (["sweep", "nowhere.yaml"], 2, "ConfigError", "nowhere.yaml"),
    "misspelt": (["sweep", "misspelt.yaml"], 2, "StudyInvalid", "did you mean 'trials'?"),
    "empty_space": (["sweep", "empty.yaml"], 2, "StudyInvalid", "space is empty"),
    "zero_trials": (["sweep", "study.yaml", "--trials", "0"], 2, "StudyInvalid", "trials=0"),
    "no_function": (["sweep", "nobody.yaml"], 2, "StudyInvalid", "no function 'nobody'"),
    "not_finite": (["sweep", "nan.yaml"], 1, "SweepFailed", "f1 is nan"),
    "raising": (["sweep", "raises.yaml"], 1, "SweepFailed", "ValueError: no such kernel"),
    "wrong_keys": (["sweep", "wrong_keys.yaml"], 1, "SweepFailed", "reported: 'acc', 'f2'"),
    "no_home": (["--home", "file/home", "sweep", "study.yaml"], 1, "HomeUnusable", "file/home"),
    "no_home_to_ask": (["--home", "file/home", "runs"], 1, "HomeUnusable", "--home"),
    "no_store": (["--tracking-uri", "mlruns", "runs"], 2, "UnsupportedTarget", "sqlite:///"),
    "no_policy": (["select", "--policy", "best_metrik"], 2, "PolicyInvalid", "best_metric"),
    "no_metric": (["select", "--metric", "nope"], 1, "PolicyInputMissing", "nope"),
    "no_family": (["select", "--family", "nope"], 3, "NoCandidate", ""),
    "no_stage": (["runs", "--stage", "nope"], 2, "UsageError", "hpo_trial"),
    "no_status": (["runs", "--status", "nope"], 2, "UsageError", "FINISHED"),
    "no_study": (["runs", "--study", "tk3:" + "0" * 64], 2, "KeyReferenceInvalid", "sk3:"),
    "short_study": (["runs", "--study", "0123456789a"], 2, "KeyReferenceInvalid", "12"),
    "no_bound": (["runs", "--metric", "f1"], 2, "InvalidInput", "macro_f1>=0.9"),
    "no_column": (["runs", "--columns", "ref,statsu"], 2, "InvalidInput", "did you mean status?"),
    "no_sort": (["runs", "--sort", "f1"], 2, "InvalidInput", "metrics.<name>"),
    "no_pair": (["runs", "--tag", "team"], 2, "UsageError", "key=value"),
    "no_time": (["runs", "--since", "soon"], 2, "UsageError", "2h"),
    "no_limit": (["runs", "--limit", "0"], 2, "UsageError", "--limit"),
    "no_run": (["acquire", "f" * 64], 3, "RunNotFound", "studbook runs"),
    "short_ref": (["acquire", "abc"], 3, "RunNotFound", "12"),
    "no_ref": (["acquire"], 2, "UsageError", "ref"),
    "no_kind": (["acquire", "{sweep_refit}", "--kind", "nope"], 2, "InvalidInput", "checkpoint"),
    "no_artifact": (["acquire", "{sweep_sweep}"], 1, "AcquisitionFailed", ""),
    "occupied": (["acquire", "{sweep_refit}", "--to", "occupied"], 1, "DestinationOccupied", "occupied"),
    "no_lineage": (["lineage", "f" * 64], 3, "RunNotFound", "studbook runs"),
}
_DEBUGGED = ["misspelt", "raising", "no_home_to_ask", "no_run"]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """All calls in order, each bad one for people and for programs, in one project."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "file").write_text("a file, where a home should be")
    (folder / "training.py").write_text(_TRAINING)
    (folder / "occupied").mkdir()
    (folder / "occupied" / "mine.txt").write_text("mine")
    for name, changes in _STUDIES.items():
        (folder / f"{name}.yaml").write_text(json.dumps({**_STUDY, **changes}))
    calls = [*_CALLS.items()]
    for name, (arguments, *_) in _BAD.items():
        calls += [(f"{name} text", arguments), (f"{name} json", ["--json", *arguments])]
        if name in _DEBUGGED:
            calls.append((f"{name} debug", ["--debug", *arguments]))
    return answers_to(calls, folder)


# --- answers


def test_a_sweep_answers_with_its_trials_and_refit(answers: dict[str, Answer]) -> None:
    answer = answers["sweep"]
    assert (answer.code, "Traceback" in answer.err) == (0, False)
    document = answer.document
    assert document["outcome"] == "completed"
    assert document["counts"] == {"total": 3, "complete": 3, "pruned": 0, "failed": 0, "duplicate": 0}
    assert [trial["state"] for trial in document["trials"]] == ["COMPLETE"] * 3
    assert document["refit"].startswith("rk3:")
    assert document["study_key"].startswith("sk3:")


def test_a_sweep_that_is_done_is_shown_again(answers: dict[str, Answer]) -> None:
    answer = answers["sweep_again"]
    assert answer.code == 0
    assert "3 total, 3 complete" in answer.out
    more = answers["sweep_more"].document
    assert more["counts"]["complete"] == 4
    assert more["sweep"] != answers["sweep"].document["sweep"]
    assert more["trials"][:3] == answers["sweep"].document["trials"]


def test_runs_of_a_study_are_asked_for_by_its_key(answers: dict[str, Answer]) -> None:
    found = answers["runs_of_study"].document
    study = answers["sweep"].document["study_key"]
    assert found == [run for run in answers["runs"].document if run["study_key"] == study]
    assert found


def test_runs_are_listed_with_what_they_hold(answers: dict[str, Answer]) -> None:
    runs = answers["runs"].document
    stages = [run["stage"] for run in runs]
    assert {stage: stages.count(stage) for stage in stages}.items() >= {
        "hpo_sweep": 2,
        "hpo_trial": 4,
        "hpo_fold": 8,
    }.items()
    assert {run["status"] for run in runs} == {"FINISHED"}
    trial = next(run for run in runs if run["stage"] == "hpo_trial")
    assert trial["metrics"]["f1"] == trial["params"]["x"]
    assert len({run["ref"] for run in runs}) == len(runs)


def test_runs_are_narrowed_by_their_options(answers: dict[str, Answer]) -> None:
    lines = answers["runs_table"].out.splitlines()
    assert sum("hpo_trial" in line for line in lines) == 4
    assert not any("hpo_fold" in line or "hpo_sweep" in line for line in lines)
    assert len(answers["runs_limit"].document) == 1


def test_runs_of_a_study_are_found_by_its_name(answers: dict[str, Answer]) -> None:
    assert answers["runs_of_name"].document == answers["runs_of_study"].document


def test_csv_holds_every_run_in_stable_columns(answers: dict[str, Answer]) -> None:
    text = answers["runs_csv"].out
    rows = list(csv.DictReader(text.splitlines()))
    assert text.startswith("ref,run_id,stage,status,name,experiment,family,study_key,")
    assert text.count("\r\n") == len(rows) + 1
    runs = answers["runs"].document
    assert [(row["ref"], row["stage"], row["end_reason"]) for row in rows] == [
        (run["ref"], run["stage"], run["end_reason"] or "") for run in runs
    ]
    assert [datetime.fromisoformat(row["started_at"]) for row in rows] == [
        datetime.fromisoformat(run["started_at"]) for run in runs
    ]
    nothing = answers["runs_csv_nothing"]
    assert (nothing.code, nothing.out) == (3, text.splitlines()[0] + "\r\n")


def test_an_answer_has_one_form(answers: dict[str, Answer]) -> None:
    answer = answers["runs_two_forms"]
    assert (answer.code, "give one of them" in answer.document["error"]["problem"]) == (2, True)


def test_runs_are_sorted_cut_and_shown_as_asked(answers: dict[str, Answer]) -> None:
    scores = [run["metrics"]["f1"] for run in answers["runs_sorted"].document]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4
    best = answers["runs_best"]
    head, _rule, row = best.out.splitlines()
    assert (best.code, head.split()) == (0, ["ref", "params.x", "metrics.f1", "url"])
    assert row.split()[0] == answers["runs_sorted"].document[0]["ref"]
    assert row.split()[1:] == [f"{scores[0]:.6g}"] * 2 + ["-"]
    for run in answers["runs_columns"].document:
        assert list(run) == ["ref", "metrics.f1", "ended_at"]


@pytest.mark.parametrize("name", ["empty_runs", "runs_nothing", "runs_of_old"])
def test_no_runs_are_an_empty_list_and_exit_code_3(answers: dict[str, Answer], name: str) -> None:
    assert (answers[name].code, answers[name].document) == (3, [])


def test_without_any_run_there_is_no_candidate(answers: dict[str, Answer]) -> None:
    answer = answers["no_candidate"]
    assert (answer.code, answer.document["error"]["type"]) == (3, "NoCandidate")


def test_a_selection_is_recorded_once(answers: dict[str, Answer]) -> None:
    dry, first, again = (answers[name].document for name in ("dry", "select", "select_again"))
    assert [answers[name].code for name in ("dry", "select", "select_again", "select_table")] == [0] * 4
    assert dry["ref"] is None
    assert (first["reused"], again["reused"]) == (False, False)
    assert first["winner"] == dry["winner"] == again["winner"]
    assert "(decided before)" in answers["select_table"].out


def test_a_champion_is_told_with_the_refit_that_stands_for_it(answers: dict[str, Answer]) -> None:
    document = answers["champions"].document
    (champion,) = document["champions"]
    winner = answers["select"].document["winner"]
    assert (champion["family"], champion["trial"]) == ("digits", winner["trial"])
    assert champion["artifact_run"] == champion["refit"] == winner["refit"]
    assert (champion["metric"], champion["url"]) == ("f1", None)
    assert document["groups"][0]["n_valid"] == 4
    head, _rule, row, *_ = answers["champions_table"].out.splitlines()
    assert head.split() == ["family", "trial", "files", "metric", "value", "level", "trials"]
    assert row.split()[:4] == ["digits", champion["trial"][:16], champion["refit"][:16], "f1"]
    assert row.split()[-1] == "4"


def test_without_any_champion_the_answer_is_empty_and_the_exit_code_3(answers: dict[str, Answer]) -> None:
    assert (answers["no_champion"].code, answers["no_champion"].document["champions"]) == (3, [])
    assert (answers["no_champion_text"].code, answers["no_champion_text"].out) == (3, "no trials\n")


def test_files_are_handed_over_with_a_receipt(answers: dict[str, Answer]) -> None:
    answer = answers["acquire"]
    assert answer.code == 0
    document = answer.document
    assert (Path(document["path"]) / "weights.joblib").read_bytes() == b"weights"
    assert document["receipt"]["content_digest"] == document["manifest"]["content_digest"]
    assert answers["acquire_again"].code == 0
    assert document["path"] in answers["acquire_again"].out


def test_the_lineage_of_a_selection_reaches_its_sweep(answers: dict[str, Answer]) -> None:
    def stages(node: dict[str, Any]) -> set[str]:
        return {str(node["stage"])}.union(*(stages(child) for child in node["children"]))

    tree = answers["lineage"].document
    assert tree["ref"] == answers["select"].document["ref"]
    assert stages(tree) == {"selection", "hpo_refit", "hpo_trial", "hpo_fold", "hpo_sweep"}
    assert "hpo_trial" in answers["lineage_tree"].out


def test_an_interruption_ends_with_130_and_without_a_traceback(answers: dict[str, Answer]) -> None:
    answer = answers["interrupted"]
    assert answer.code == 130
    assert "Traceback" not in answer.err


# --- bad calls


@pytest.mark.parametrize("name", _BAD)
def test_a_bad_call_says_what_is_wrong_and_what_to_do(answers: dict[str, Answer], name: str) -> None:
    _, code, _, words = _BAD[name]
    answer = answers[f"{name} text"]
    assert (answer.code, answer.out) == (code, "")
    assert "Traceback" not in answer.err
    lines = answer.err.splitlines()
    assert sum(line.startswith("studbook: ") for line in lines) == 1
    assert lines[-1].startswith("  ")
    assert words in answer.err


@pytest.mark.parametrize("name", _BAD)
def test_a_bad_call_is_one_document_with_json(answers: dict[str, Answer], name: str) -> None:
    _, code, kind, words = _BAD[name]
    answer = answers[f"{name} json"]
    assert answer.code == code
    assert "Traceback" not in answer.err
    assert answer.document.keys() == {"error"}
    error = answer.document["error"]
    assert (error["type"], error["exit_code"]) == (kind, code)
    assert error["problem"]
    assert error["cure"]
    assert words in error["problem"] + error["cure"]


@pytest.mark.parametrize("name", _DEBUGGED)
def test_debug_shows_the_traceback_of_a_bad_call(answers: dict[str, Answer], name: str) -> None:
    answer = answers[f"{name} debug"]
    assert (answer.code, answer.out) == (_BAD[name][1], "")
    assert "Traceback" in answer.err


def test_a_refused_destination_is_left_as_it_was(answers: dict[str, Answer]) -> None:
    place = Path(answers["acquire"].document["path"]).parent / "occupied"
    assert {file.name: file.read_text() for file in place.iterdir()} == {"mine.txt": "mine"}
