"""A real MLflow server: well, refusing, silent, gone, behind something else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from faults.down import no_server, silent_server
from faults.http_faults import Answer, AnswerAfter, FaultyProxy
from servers.mlflow_server import Server
from studbook.adapters.mlflow.server_checkup import ServerCheckup
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.application.diagnosis import Diagnose, Row
from studbook.ports.checkup import USABLE, Checkup, Outcome
from studbook.ports.contract.checkup import CheckupContract
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG
from studbook.ports.run_query import ANY_STATUS, RunQuery

_SEARCH = "/experiments/search"


class TestAServer(CheckupContract):
    @pytest.fixture
    def checkup(self, proxy: FaultyProxy) -> Checkup:
        return ServerCheckup(proxy.uri)

    @pytest.fixture
    def seen(self, server: Server) -> Callable[[], object]:
        store = MlflowTrackingStore(server.uri, run_key_tag=RUN_KEY_TAG)

        def look() -> object:
            experiments = store.experiments()
            return experiments, list(store.find(RunQuery(experiments, ANY_STATUS)))

        return look


class TestAServerThatRefuses(TestAServer):
    @pytest.fixture
    def checkup(self, proxy: FaultyProxy) -> Checkup:
        proxy.on(_SEARCH, Answer(403), times=2)
        return ServerCheckup(proxy.uri)


def looked(uri: str, **options: object) -> dict[str, Row]:
    checkup = ServerCheckup(uri, **options)  # type: ignore[arg-type]
    return {row.check: row for row in Diagnose([("backend", lambda: checkup)])().rows}


def test_a_server_is_well_and_asked_twice(proxy: FaultyProxy) -> None:
    rows = looked(proxy.uri)
    assert {row.outcome for row in rows.values()} == {Outcome.OK}, rows
    assert rows["server"].found.startswith("MLflow 3.")
    assert "all within reach" in rows["artifact root"].found
    assert len(proxy.requests()) == 2
    assert set(rows) & set(USABLE) == {"reachability", "credentials"}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_a_problem_and_the_server_is_reachable(
    proxy: FaultyProxy, status: int
) -> None:
    proxy.on(_SEARCH, Answer(status))
    rows = looked(proxy.uri)
    assert rows["reachability"].outcome is Outcome.OK
    assert rows["credentials"].outcome is Outcome.PROBLEM
    assert "refuses these credentials" in rows["credentials"].found
    assert "because of the problem with credentials" in rows["clock"].found


@pytest.mark.parametrize("down", [no_server, silent_server])
def test_a_server_that_is_down_is_a_problem_of_one_row(down: Callable[[], object]) -> None:
    with down() as uri:  # type: ignore[attr-defined]
        rows = looked(uri, timeout_s=0.05)
    assert [name for name, row in rows.items() if row.outcome is Outcome.PROBLEM] == ["reachability"]
    assert "because of the problem with reachability" in rows["artifact root"].found


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, body=b"<html>hello</html>"), Answer(302)])
def test_what_is_no_mlflow_is_a_problem(proxy: FaultyProxy, answer: Answer) -> None:
    proxy.on(_SEARCH, answer)
    assert looked(proxy.uri)["reachability"].outcome is Outcome.PROBLEM


def test_the_kind_of_credentials_is_told_and_never_themselves(
    proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "none are set" in looked(proxy.uri)["credentials"].found
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "clever-hans")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    rows = looked(proxy.uri)
    assert "user name and password" in rows["credentials"].found
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    rows["address"] = looked(proxy.uri.replace("://", "://clever-hans:hunter2@"))["credentials"]
    assert "user name and password" in rows["address"].found
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "opensesame")
    rows["token"] = looked(proxy.uri)["credentials"]
    assert "the token" in rows["token"].found
    assert not any(secret in repr(rows) for secret in ("clever-hans", "hunter2", "opensesame"))


@pytest.mark.parametrize(("hours", "word"), [(1, "3600 s ahead of"), (-1, "3600 s behind")])
def test_a_wrong_clock_is_told(proxy: FaultyProxy, hours: int, word: str) -> None:
    proxy.on("/version", AnswerAfter(200, {"Date": "Sat, 03 Jan 2026 12:00:00 GMT"}, b"3.15.0"))
    now = datetime(2026, 1, 3, 12, tzinfo=UTC) + timedelta(hours=hours)
    row = looked(proxy.uri, now=lambda: now)["clock"]
    assert (row.outcome, word in row.found) == (Outcome.WARNING, True)


def test_a_server_without_version_and_date_is_no_problem(proxy: FaultyProxy) -> None:
    proxy.on("/version", Answer(404))
    rows = looked(proxy.uri)
    assert rows["server"].outcome is Outcome.WARNING
    assert rows["clock"].found == "the server does not tell its time"


@pytest.mark.parametrize(
    ("uri", "outcome"),
    [("http://127.0.0.1:5000", Outcome.WARNING), ("http://mlflow.example.org", Outcome.OK)],
)
def test_proxies_are_told_without_their_passwords(
    monkeypatch: pytest.MonkeyPatch, uri: str, outcome: Outcome
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://user:hunter2@proxy.example.org:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    check = ServerCheckup(uri).checks()[0]
    finding = check.look()
    assert (check.name, finding.outcome) == ("proxies", outcome)
    assert "http://proxy.example.org:3128" in finding.found
    assert "hunter2" not in repr(finding)
    assert "NO_PROXY" in finding.found + str(finding.cure)
