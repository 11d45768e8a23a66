"""The command line's frame: exit codes, errors, JSON, signals. Every test is a call of the real script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studbook.entrypoints.cli.verbs import VERBS

_VERB = """
import sys, types
from pathlib import Path
from studbook.domain import errors
from studbook.entrypoints.cli import main, verbs

def verb(cli, *, kind: str = "") -> None:
    "A verb for tests."
    {body}

verb.__annotations__.pop("cli", None)
module = types.ModuleType("studbook.entrypoints.cli.planted")
module.verb = verb
sys.modules[module.__name__] = module
verbs.VERBS["planted"] = verbs.Verb("planted", "verb", "For tests.")
sys.exit(main.main())
"""


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("STUDBOOK_", "MLFLOW_"))}
    return {**kept, "COLUMNS": "80"}


def call(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("studbook")
    return subprocess.run(
        [script, *arguments],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def planted(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _VERB.format(body=body), *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    document = json.loads(done.stdout)
    assert document.keys() == {"error"}
    error: dict[str, object] = document["error"]
    return error


def test_without_a_verb_the_help_lists_the_verbs(tmp_path: Path) -> None:
    done = call(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "config" in done.stdout
    assert done.stdout == call(tmp_path, "--help").stdout


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_offers_json(tmp_path: Path, verb: str) -> None:
    done = call(tmp_path, *verb.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--json" in done.stdout


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    from studbook import __version__

    assert call(tmp_path, "--version").stdout == f"studbook {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sho"], "there is no verb 'sho'"),
        (["confg"], "did you mean 'config'?"),
        (["config"], "Missing command"),
        (["config", "sho"], "did you mean 'show'?"),
        (["config", "show", "--orgin"], "--orgin"),
        (["--homes", "x", "config", "show"], "--homes"),
        (["--home"], "--home"),
    ],
)
def test_a_wrong_call_ends_with_2_and_points_to_the_help(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = call(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "--help" in done.stderr


def test_a_wrong_call_is_a_document_with_json(tmp_path: Path) -> None:
    done = call(tmp_path, "--json", "nonsense")
    assert (done.returncode, done.stderr) == (2, "")
    assert error_of(done)["type"] == "UsageError"


@pytest.mark.parametrize("arguments", [["--json", "config", "show"], ["config", "show", "--json"]])
def test_json_is_understood_before_and_after_the_verb(tmp_path: Path, arguments: list[str]) -> None:
    done = call(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["settings"]["project"] == "studbook"


def test_options_before_the_verb_reach_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "other.yaml"
    settings.write_text("project: other\n")
    done = call(
        tmp_path,
        *("--home", "h", "--tracking-uri", "http://me:hush@host", "--config", "other.yaml"),
        *("config", "show", "--origin", "--json"),
        STUDBOOK_TRACKING__URI="http://other",
    )
    document = json.loads(done.stdout)
    assert "hush" not in done.stdout + done.stderr
    assert document["settings"]["home"] == str(tmp_path / "h")
    assert document["settings"]["project"] == "other"
    assert document["target"]["uri"] == "http://host"
    said = document["origins"]["tracking.uri"]
    assert said["source"] == "caller"
    assert said["overruled"][0]["place"] == "STUDBOOK_TRACKING__URI"


def test_a_workspace_that_its_settings_name_is_the_target_that_they_decided(tmp_path: Path) -> None:
    parts = {"SUBSCRIPTION_ID": "s", "RESOURCE_GROUP": "g", "WORKSPACE_NAME": "w"}
    variables = {f"STUDBOOK_TRACKING__AZURE__{part}": value for part, value in parts.items()}
    document = json.loads(call(tmp_path, "config", "show", "--origin", "--json", **variables).stdout)
    assert document["settings"]["tracking.uri"].startswith("azureml:///subscriptions/s/")
    assert document["origins"]["tracking.uri"]["source"] == "environment"
    assert document["target"]["origin"] == "STUDBOOK_TRACKING__AZURE__SUBSCRIPTION_ID"


def test_the_settings_are_a_table_for_people(tmp_path: Path) -> None:
    done = call(tmp_path, "config", "show", "--origin", STUDBOOK_SWEEP__WORKERS="3")
    row = next(line for line in done.stdout.splitlines() if "sweep.workers" in line)
    assert row.split()[:3] == ["sweep.workers", "3", "STUDBOOK_SWEEP__WORKERS"]
    assert "selection.noise_z" in done.stdout


def test_our_errors_are_one_short_message_with_the_cure(tmp_path: Path) -> None:
    done = call(tmp_path, "config", "show", STUDBOOK_HOMES="x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "STUDBOOK_HOMES" in done.stderr
    assert "STUDBOOK_HOME;" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_our_errors_are_documents_with_json(tmp_path: Path) -> None:
    done = call(tmp_path, "config", "show", "--json", STUDBOOK_HOMES="x")
    error = error_of(done)
    assert (done.returncode, done.stderr) == (2, "")
    assert error["type"] == "ConfigError"
    assert error["details"] == {"key": "homes", "nearest": "home", "place": "STUDBOOK_HOMES"}


@pytest.mark.parametrize(
    ("kind", "code"), [("NoCandidate", 3), ("DeliveryPending", 4), ("TrackingUnavailable", 1)]
)
def test_an_error_ends_with_its_own_exit_code(tmp_path: Path, kind: str, code: int) -> None:
    body = "raise getattr(errors, kind)('postgresql://me:hush@host is bad', cure='mend it', at=Path('x'))"
    done = planted(tmp_path, body, "planted", "--kind", kind, "--json")
    assert done.returncode == code
    assert error_of(done) == {
        "type": kind,
        "problem": "postgresql://me:***@host is bad",
        "cure": "mend it",
        "exit_code": code,
        "details": {"at": "x"},
    }


def test_an_unexpected_error_is_one_line_and_a_hint(tmp_path: Path) -> None:
    done = planted(tmp_path, "raise ZeroDivisionError('one\\ntwo')", "planted")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "studbook: unexpected ZeroDivisionError: one",
        "  repeat with --debug for the traceback",
    ]


def test_debug_shows_the_traceback_without_secrets(tmp_path: Path) -> None:
    done = planted(tmp_path, "raise ZeroDivisionError('http://me:hush@host')", "--debug", "planted")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "hush@" not in done.stderr.replace("raise ZeroDivisionError('http://me:hush@host')", "")


def test_a_verb_may_end_otherwise_than_0_with_its_answer(tmp_path: Path) -> None:
    body = "cli.output.show({'value': float('nan'), 'at': Path('x')}, str); raise main.typer.Exit(4)"
    done = planted(tmp_path, body, "planted", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout) == {"value": "NaN", "at": "x"}


def test_notes_and_progress_stay_off_stdout(tmp_path: Path) -> None:
    body = "cli.output.note('working')\n    with cli.output.progress('x', 2) as advance: advance(2)"
    done = planted(tmp_path, body, "planted")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "working\n")


def test_a_table_in_a_file_is_not_cut_and_reads_no_markup(tmp_path: Path) -> None:
    body = "from studbook.entrypoints.cli.output import table; "
    body += "cli.output.show({}, lambda: table(['a', 'b'], [['[red]' + 'x' * 300, None]]))"
    done = planted(tmp_path, body, "planted")
    assert "[red]" + "x" * 300 in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_call_with_their_codes(tmp_path: Path, number: signal.Signals, code: int) -> None:
    body = "cli.output.note('ready')\n    import signal\n    while True: signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-c", _VERB.format(body=body), "planted"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(number)
        rest = process.stderr.read()
        assert (process.wait(timeout=30), rest) == (code, "")


def test_the_frame_makes_no_file(tmp_path: Path) -> None:
    call(tmp_path, "config", "show")
    assert list(tmp_path.iterdir()) == []
