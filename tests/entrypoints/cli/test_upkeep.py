"""The verbs that look after a home, on homes whose programs ended well, were killed, or were copied.

As for the other verbs, the calls are made one after the other in one other process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoints.cli.many_calls import Answer

_WRITER = """
import os, shutil, sys
from pathlib import Path
from studbook import Studbook
from studbook.adapters.home.leases import HomeLeases

def write(name, home, uri=None):
    with Studbook.open(uri, home=home, delivery="manual") as book, book.run(name) as run:
        run.log_metrics({"loss": 0.5})
        Path(f"{name}.txt").write_text(name)
        run.log_artifact(f"{name}.txt")

write("first", "home")
write("second", "home", "sqlite:///other.db")
shutil.copytree("home", "copied")
book = Studbook.open(home="killed", delivery="manual")
run = book.run("lost")
run.log_metrics({"loss": 0.5})
HomeLeases(book.home).hold(book.container.event_log().writer)
os.kill(os.getpid(), 9)
"""

_CALLER = """
import contextlib, io, json, os, sys
from studbook.entrypoints.cli.main import main

answers = {}
said = {}
for name, what, variables in json.load(sys.stdin):
    os.environ.update(variables)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if isinstance(what, str):
            code = 0
            exec(what, said)
        else:
            sys.argv = ["studbook", *what]
            try:
                code = main()
            except SystemExit as leaving:
                code = leaving.code
    answers[name] = [code, out.getvalue(), err.getvalue()]
    for variable in variables:
        del os.environ[variable]
json.dump(answers, sys.stdout)
"""

_HOME = ("--home", "home")
_COPY = ("--home", "copied")
_KILLED = ("--home", "killed")
_REFUSED = ("--home", "refused")
_ALL = (*_COPY, "--tracking-uri", "sqlite:///all.db")
_OTHER = {"STUDBOOK_TRACKING__URI": "sqlite:///other.db"}

_OPEN = """
from studbook import Studbook
book = Studbook.open(home="refused", delivery="manual")
run = book.run("refused")
run.log_metrics({"before": 1.0})
"""
_DELETE = """
from mlflow import MlflowClient
client = MlflowClient(book.settings.target.uri)
client.delete_run(run.backend_id())
run.log_metrics({"after": 2.0})
"""
_RESTORE = "client.restore_run(run.backend_id())"

# What is asked before anything is delivered loads no client.
_CALLS: list[tuple[str, list[str] | str, dict[str, str]]] = [
    ("no home: sync", ["--home", "nowhere", "sync", "--json"], {}),
    ("no home: status", ["--home", "nowhere", "status", "--json"], {}),
    ("no home: events", ["--home", "nowhere", "events"], {}),
    ("no home: reap", ["--home", "nowhere", "reap", "--json"], {}),
    ("waiting", [*_HOME, "status", "--json"], {}),
    ("waiting text", [*_HOME, "status"], {}),
    ("events", [*_HOME, "events", "--json"], {}),
    ("events text", [*_HOME, "events"], {}),
    ("events of kinds", [*_HOME, "events", "--json", "--kind", "runended", "--kind", "RunStarted"], {}),
    ("events of a day", [*_HOME, "events", "--json", "--since", "1d"], {}),
    ("events of the future", [*_HOME, "events", "--json", "--since", "2999-01-01"], {}),
    ("killed", [*_KILLED, "status", "--json"], {}),
    ("dry reap", [*_KILLED, "reap", "--dry-run", "--json"], {}),
    ("loaded", "import sys; print('mlflow' in sys.modules)", {}),
    ("sync", [*_HOME, "sync", "--json"], {}),
    ("sync again", [*_HOME, "sync"], {}),
    ("delivered", [*_HOME, "status", "--json"], {}),
    ("sync other", [*_HOME, "sync", "--json"], _OTHER),
    ("well", [*_HOME, "status"], {}),
    ("events at last", [*_HOME, "events", "--json"], {}),
    ("copied sync", [*_ALL, "sync", "--json"], {}),
    ("copied runs", [*_ALL, "runs", "--json"], {}),
    ("copied status", [*_COPY, "status", "--json"], {}),
    ("copied sync one", [*_COPY, "sync", "--json"], {}),
    ("copied sync other", [*_COPY, "sync", "--json"], _OTHER),
    ("reap", [*_KILLED, "reap", "--json"], {}),
    ("reap again", [*_KILLED, "reap"], {}),
    ("reaped", [*_KILLED, "runs", "--status", "KILLED", "--json"], {}),
    ("reaped status", [*_KILLED, "status", "--json"], {}),
    ("open", _OPEN, {}),
    ("refused sync", [*_REFUSED, "sync"], {}),
    ("delete", _DELETE, {}),
    ("refusing sync", [*_REFUSED, "sync", "--json"], {}),
    ("refusing again", [*_REFUSED, "sync", "--refused"], {}),
    ("refusing status", [*_REFUSED, "status"], {}),
    ("restore", _RESTORE, {}),
    ("resending sync", [*_REFUSED, "sync", "--refused", "--json"], {}),
    ("resent status", [*_REFUSED, "status", "--json"], {}),
    ("delete again", _DELETE, {}),
    ("refusing once more", [*_REFUSED, "sync"], {}),
    ("dismissing nothing", [*_REFUSED, "sync", "--dismiss", "nobody/1"], {}),
    ("dismissing", [*_REFUSED, "sync", "--dismiss", "all", "--json"], {}),
    ("dismissed status", [*_REFUSED, "status"], {}),
    ("close", "book.close()", {}),
]

# name: (arguments, words of the message); all are usage errors.
_BAD: dict[str, tuple[list[str], str]] = {
    "timeout": (["sync", "--timeout", "soon"], "--timeout 'soon'"),
    "endless": (["sync", "--follow", "--timeout", "9"], "--follow has no end"),
    "endless too": (["sync", "--follow", "--dismiss", "all"], "--follow has no end"),
    "older": (["reap", "--older-than", "-3"], "--older-than"),
    "kind": (["events", "--kind", "MetricLogged"], "did you mean MetricsLogged?"),
    "nonsense": (["events", "--kind", "xyz"], "RunStarted"),
    "since": (["events", "--since", "yesterday"], "--since 'yesterday'"),
    "unsupported": ([*_COPY, "--tracking-uri", "ftp://h/db", "sync"], "does not deliver to"),
}


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("STUDBOOK_", "MLFLOW_"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three homes: one with events for two targets, its copy, and that of a killed program."""
    folder = tmp_path_factory.mktemp("project")
    done = subprocess.run(
        [sys.executable, "-c", _WRITER],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Answer]:
    """All calls in order."""
    calls = [*_CALLS, *((f"bad {name}", arguments, {}) for name, (arguments, _) in _BAD.items())]
    done = subprocess.run(
        [sys.executable, "-c", _CALLER],
        input=json.dumps(calls),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: Answer(*given) for name, given in json.loads(done.stdout).items()}


def _uri(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}"


def test_where_nothing_was_recorded_nothing_is_made(answers: dict[str, Answer], folder: Path) -> None:
    codes = {name: answers[f"no home: {name}"].code for name in ("sync", "status", "events", "reap")}
    assert codes == {"sync": 0, "status": 0, "events": 3, "reap": 0}
    assert answers["no home: sync"].document["delivered"] == 0
    assert "nowhere" in answers["no home: sync"].err
    assert not (folder / "nowhere").exists()


def test_looking_after_a_home_loads_no_client(answers: dict[str, Answer]) -> None:
    assert answers["loaded"].out == "False\n"


# --- status and events


def test_what_waits_is_told_by_target(answers: dict[str, Answer], folder: Path) -> None:
    answer = answers["waiting"]
    assert answer.code == 4
    assert answer.document["needs_attention"] is True
    here, other = answer.document["targets"]
    assert (here["target"], here["configured"], here["pending"]) == (_uri(folder, "mlflow.db"), True, 4)
    assert (other["target"], other["configured"], other["pending"]) == (_uri(folder, "other.db"), False, 4)
    assert here["oldest"] < other["oldest"]
    assert not here["relay_at_work"]
    assert answer.document["journal"]["segments"] == 2
    text = answers["waiting text"].out
    assert "4 events pending" in text
    assert other["command"] in text


def test_events_are_listed_by_time_for_every_target(answers: dict[str, Answer]) -> None:
    events = answers["events"].document
    assert [event["kind"] for event in events] == [
        *("RunStarted", "MetricsLogged", "ArtifactLogged", "RunEnded") * 2
    ]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4] * 2
    assert events == sorted(events, key=lambda event: event["occurred_at_ns"])
    assert events[1]["event"]["metrics"] == {"loss": 0.5}
    lines = answers["events text"].out.splitlines()
    assert len(lines) == 8
    for line, event in zip(lines, events, strict=True):
        assert {event["writer"], event["kind"], event["run"][:16]} <= set(line.split())


def test_events_are_narrowed(answers: dict[str, Answer]) -> None:
    kinds = [event["kind"] for event in answers["events of kinds"].document]
    assert kinds == ["RunStarted", "RunEnded"] * 2
    assert answers["events of a day"].document == answers["events"].document
    nothing = answers["events of the future"]
    assert (nothing.code, nothing.document) == (3, [])


# --- sync


def test_a_sync_delivers_its_target_and_names_the_others(answers: dict[str, Answer], folder: Path) -> None:
    answer = answers["sync"]
    document = answer.document
    assert (answer.code, document["delivered"], document["refused"]) == (4, 4, [])
    (other,) = document["other_targets"]
    assert (other["target"], other["pending"]) == (_uri(folder, "other.db"), 4)
    assert other["command"] == (
        f"STUDBOOK_TRACKING__URI={_uri(folder, 'other.db')} studbook --home {folder / 'home'} sync"
    )
    again = answers["sync again"]
    assert again.code == 4
    assert "nothing was pending" in again.out
    assert other["command"] in again.out
    here, there = answers["delivered"].document["targets"]
    assert (here["pending"], there["pending"]) == (0, 4)


def test_the_named_command_delivers_the_rest(answers: dict[str, Answer]) -> None:
    answer = answers["sync other"]
    assert (answer.code, answer.document["delivered"], answer.document["other_targets"]) == (0, 4, [])
    assert answers["well"].code == 0
    assert answers["well"].out.count("nothing pending") == 2
    assert answers["events at last"].document == answers["events"].document


def test_a_copied_home_goes_whole_to_the_target_that_is_named(answers: dict[str, Answer]) -> None:
    answer = answers["copied sync"]
    assert (answer.code, answer.document["delivered"], answer.document["other_targets"]) == (0, 8, [])
    runs = answers["copied runs"].document
    assert [(run["name"], run["status"]) for run in runs] == [("first", "FINISHED"), ("second", "FINISHED")]


def test_their_own_targets_still_wait_and_get_the_files_too(answers: dict[str, Answer], folder: Path) -> None:
    targets = answers["copied status"].document["targets"]
    assert {Path(each["target"]).name: each["pending"] for each in targets} == {"mlflow.db": 4, "other.db": 4}
    assert answers["copied sync one"].document["refused"] == []
    assert answers["copied sync other"].document["refused"] == []
    assert answers["copied sync other"].code == 0
    assert list((folder / "copied" / "pins").iterdir()) == []


def test_refused_events_are_told_and_sent_again(answers: dict[str, Answer], folder: Path) -> None:
    assert answers["refused sync"].code == 0
    refusing = answers["refusing sync"]
    assert refusing.code == 4
    assert [event["sequence"] for event in refusing.document["refused"]] == [3]
    for name in ("refusing again", "refusing status"):
        assert answers[name].code == 4
        assert "1 event refused" in answers[name].out
        assert f"`studbook --home {folder / 'refused'} sync --refused`" in answers[name].out
    resending = answers["resending sync"]
    assert (resending.code, resending.document["resent"], resending.document["refused"]) == (0, 1, [])
    assert answers["resent status"].document["targets"][0]["refused"] == []


def test_what_can_never_succeed_is_dismissed(answers: dict[str, Answer], folder: Path) -> None:
    assert answers["refusing once more"].code == 4
    assert "--dismiss all" in answers["refusing once more"].out
    nothing = answers["dismissing nothing"]
    assert (nothing.code, nothing.out) == (3, "")
    assert "'nobody/1'" in nothing.err
    dismissing = answers["dismissing"]
    (dismissed,) = dismissing.document["dismissed"]
    assert (dismissing.code, dismissing.document["refused"]) == (0, [])
    assert "deleted" in dismissed["reason"]
    assert answers["dismissed status"].code == 0
    assert "1 refused event dismissed" in answers["dismissed status"].out


# --- reap


def test_a_killed_program_is_seen_and_its_runs_are_ended(answers: dict[str, Answer]) -> None:
    (writer,) = answers["killed"].document["writers"]
    assert writer["liveness"] == "dead"
    dry, real = answers["dry reap"], answers["reap"]
    assert (dry.code, dry.document["dry_run"]) == (0, True)
    assert (real.code, real.document["dry_run"]) == (0, False)
    assert dry.document["ended"] == real.document["ended"]
    assert [run["writer"] for run in real.document["ended"]] == [writer["writer"]]
    assert "0 runs ended" in answers["reap again"].out
    (run,) = answers["reaped"].document
    assert (run["name"], run["end_reason"], run["metrics"]) == ("lost", "lost", {"loss": 0.5})
    assert (answers["reaped status"].code, answers["reaped status"].document["writers"]) == (0, [])


# --- wrong calls, and calls without an end


@pytest.mark.parametrize("name", _BAD)
def test_a_wrong_call_says_what_is_wrong(answers: dict[str, Answer], name: str) -> None:
    answer = answers[f"bad {name}"]
    assert (answer.code, answer.out) == (2, "")
    assert _BAD[name][1] in answer.err
    assert "Traceback" not in answer.err


def _started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("studbook")), *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_events_are_followed_until_ctrl_c(folder: Path) -> None:
    with _started(folder, *_KILLED, "events", "--follow", "--json", "--kind", "RunStarted") as process:
        assert process.stdout is not None
        event = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (event["kind"], rest, errors) == ("RunStarted", "", "")
    assert process.returncode == 0


def test_a_sync_follows_until_ctrl_c_and_then_says_how_it_stands(tmp_path: Path) -> None:
    from studbook import Studbook
    from studbook.config.container import Container
    from studbook.config.settings import load_settings

    target = f"sqlite:///{tmp_path / 'mlflow.db'}"
    home = tmp_path / "home"
    with _started(tmp_path, "--home", "home", "sync", "--follow", "--json") as process:
        with Studbook.open(target, home=home, delivery="manual") as book, book.run("a") as run:
            run.log_metrics({"loss": 1.0})
        settings = load_settings(tmp_path, {"home": str(home), "tracking.uri": target}, {})
        wired = Container(loaded=settings, version="1")
        while wired.sync().done().pending:
            assert process.poll() is None, process.communicate()
            wired.clock().sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert json.loads(out)["pending"] == 0
    assert "Traceback" not in errors
