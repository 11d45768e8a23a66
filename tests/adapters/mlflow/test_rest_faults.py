"""What goes wrong between us and a server: each fault is a typed error, and a repetition does no harm."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from faults.http_faults import (
    Answer,
    AnswerAfter,
    Cut,
    Exchange,
    Fault,
    FaultyProxy,
    HangAfter,
    HangBefore,
    Reply,
    ResetAfter,
    ResetBefore,
)
from studbook.adapters.mlflow.patience import ONCE, Patience
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import (
    RunNotFound,
    TrackingDenied,
    TrackingError,
    TrackingRefused,
    TrackingUnavailable,
)
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, fresh_name, ids, metric, new_run
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.time_left import within
from studbook.ports.tracking_store import NewRun

SILENCE_S = 2.0
GET_RUN = "/runs/get"
CREATE = "/runs/create"
LOG_BATCH = "/runs/log-batch"
UPDATE = "/runs/update"

StoreMaker = Callable[..., MlflowTrackingStore]


@pytest.fixture
def store_at() -> Iterator[StoreMaker]:
    """Makes stores; by default one that asks once."""
    made: list[MlflowTrackingStore] = []

    def make(uri: str, **options: Any) -> MlflowTrackingStore:
        options = {"patience": ONCE, **options}
        made.append(MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG, **options))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(proxy: FaultyProxy, store_at: StoreMaker) -> MlflowTrackingStore:
    """A store behind the proxy, which nothing has been asked yet."""
    return store_at(proxy.uri)


@pytest.fixture
def run_id(proxy: FaultyProxy, store: MlflowTrackingStore) -> str:
    """A run of the server; its creation is forgotten."""
    created = store.create_run(new_run(fresh_name()))
    proxy.forget()
    return created


def error_body(code: str, message: str = "no") -> bytes:
    return json.dumps({"error_code": code, "message": message}).encode()


def failure(ask: Callable[[], object]) -> TrackingError:
    with pytest.raises(TrackingError) as raised:
        ask()
    return raised.value


def runs_of(store: MlflowTrackingStore, experiment: str) -> list[StoredRun]:
    return list(store.find(RunQuery((experiment,), ANY_STATUS)))


ANSWERS: dict[str, tuple[Answer, type[TrackingError], dict[str, object]]] = {
    "429 with Retry-After": (
        Answer(429, {"Retry-After": "7"}),
        TrackingUnavailable,
        {"status": 429, "retry_after_s": 7.0},
    ),
    "503 with a date": (
        Answer(
            503,
            {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:29:30 GMT"},
        ),
        TrackingUnavailable,
        {"status": 503, "retry_after_s": 90.0},
    ),
    "Retry-After in the past": (
        Answer(503, {"Retry-After": "Wed, 21 Oct 2015 07:29:30 GMT"}),
        TrackingUnavailable,
        {"retry_after_s": 0.0},
    ),
    "429 without": (Answer(429), TrackingUnavailable, {"status": 429, "retry_after_s": None}),
    "Retry-After that is no time": (
        Answer(429, {"Retry-After": "soon"}),
        TrackingUnavailable,
        {"retry_after_s": None},
    ),
    **{
        str(status): (Answer(status), TrackingUnavailable, {"status": status})
        for status in (408, 500, 502, 503, 504)
    },
    "a transient code": (
        Answer(400, body=error_body("TEMPORARILY_UNAVAILABLE")),
        TrackingUnavailable,
        {"code": "TEMPORARILY_UNAVAILABLE"},
    ),
    "401": (Answer(401, body=b"<html>"), TrackingDenied, {"status": 401}),
    "403": (Answer(403, body=error_body("PERMISSION_DENIED")), TrackingDenied, {"code": "PERMISSION_DENIED"}),
    "a refusal": (
        Answer(400, body=error_body("INVALID_PARAMETER_VALUE")),
        TrackingRefused,
        {"code": "INVALID_PARAMETER_VALUE", "status": 400},
    ),
    "Azure's refusal": (
        Answer(400, body=b'{"Error":{"Code":"UserError","Message":"too many"}}'),
        TrackingRefused,
        {"code": "UserError"},
    ),
    "413": (Answer(413, body=b"<html>too large</html>"), TrackingRefused, {"status": 413}),
    "501": (Answer(501), TrackingRefused, {"status": 501}),
    "no run": (
        Answer(404, body=error_body("RESOURCE_DOES_NOT_EXIST")),
        RunNotFound,
        {"code": "RESOURCE_DOES_NOT_EXIST"},
    ),
    "no such page": (Answer(404, body=b"<html>"), TrackingUnavailable, {"code": "NO_MLFLOW", "status": 404}),
    "elsewhere": (
        Answer(302, {"Location": "http://127.0.0.1:1/login"}),
        TrackingUnavailable,
        {"code": "NO_MLFLOW", "status": 302},
    ),
}
LOST: dict[str, tuple[Fault, str]] = {
    "reset before": (ResetBefore(), "CONNECTION_LOST"),
    "reset after": (ResetAfter(), "CONNECTION_LOST"),
    "cut with its length": (Cut(1, announced=True), "CONNECTION_LOST"),
    "cut without": (Cut(1, announced=False), "INVALID_RESPONSE"),
    "a page for people": (AnswerAfter(200, body=b"<html>log in</html>"), "INVALID_RESPONSE"),
    "no object": (AnswerAfter(200, body=b"[]"), "INVALID_RESPONSE"),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("kind", ["question", "write"])
def test_an_answer_that_is_an_error_is_told_as_one_after_one_request(
    name: str, kind: str, proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    fault, expected, details = ANSWERS[name]
    proxy.on(f"{GET_RUN}|{LOG_BATCH}", fault)
    write = kind == "write"
    error = failure(
        lambda: store.record(run_id, RecordBatch(tags={"t": "1"})) if write else store.get_run(run_id)
    )
    assert type(error) is expected
    assert {key: error.details.get(key) for key in details} == details
    assert len(proxy.requests(LOG_BATCH if write else GET_RUN)) == 1
    server_error = 500 <= fault.status != 501
    transient_code = error.details.get("code") == "TEMPORARILY_UNAVAILABLE"
    unknown = "unknown" if write and (server_error or transient_code) else None
    assert error.details.get("outcome") == unknown


@pytest.mark.parametrize("name", LOST)
def test_an_answer_that_is_lost_is_an_outage_and_leaves_a_write_unknown(
    name: str, proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    fault, code = LOST[name]
    proxy.on(GET_RUN, fault)
    error = failure(lambda: store.get_run(run_id))
    assert isinstance(error, TrackingUnavailable)
    assert (error.details["code"], error.details.get("outcome")) == (code, None)
    proxy.on(LOG_BATCH, fault)
    error = failure(lambda: store.record(run_id, RecordBatch(tags={"t": "1"})))
    assert isinstance(error, TrackingUnavailable)
    assert (error.details["code"], error.details.get("outcome")) == (code, "unknown")
    assert len(proxy.requests(GET_RUN)) == len(proxy.requests(LOG_BATCH)) == 1


def test_an_answer_without_what_it_must_hold_is_an_outage(
    proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    for body in (b"{}", b'{"run":{}}', b'{"run":{"info":{"run_id":"r"}}}'):
        proxy.on(GET_RUN, Answer(200, body=body))
        assert failure(lambda: store.get_run(run_id)).details["code"] == "INVALID_RESPONSE"


def test_a_server_that_is_down_was_not_asked_and_answers_when_it_is_back(
    proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    proxy.down()
    asks: tuple[Callable[[], object], ...] = (
        lambda: store.get_run(run_id),
        lambda: store.record(run_id, RecordBatch(tags={"t": "1"})),
        lambda: store.create_run(new_run(fresh_name())),
    )
    for ask in asks:
        error = failure(ask)
        assert isinstance(error, TrackingUnavailable)
        assert (error.details["code"], error.details.get("outcome")) == ("UNREACHABLE", None)
    proxy.up()
    store.record(run_id, RecordBatch(tags={"t": "1"}))
    assert store.get_run(run_id).tags["t"] == "1"


def test_a_silent_server_is_given_up_and_the_write_is_unknown(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str
) -> None:
    store = store_at(proxy.uri, timeout_s=SILENCE_S)
    proxy.on(LOG_BATCH, HangAfter())
    error = failure(lambda: store.record(run_id, RecordBatch(tags={"t": "1"})))
    assert isinstance(error, TrackingUnavailable)
    assert (error.details["code"], error.details["outcome"]) == ("TIMEOUT", "unknown")
    assert len(proxy.requests(LOG_BATCH)) == 1


@pytest.mark.parametrize("left_s", [0.5, 0.0, -1.0])
def test_a_silent_server_is_waited_for_no_longer_than_who_waits_has_time(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str, left_s: float
) -> None:
    store = store_at(proxy.uri, timeout_s=3600.0)
    proxy.on(LOG_BATCH, HangAfter())
    with within(lambda: left_s):
        error = failure(lambda: store.record(run_id, RecordBatch(tags={"t": "1"})))
        assert store.get_run(run_id).tags["t"] == "1"
    assert (error.details["code"], error.details["outcome"]) == ("TIMEOUT", "unknown")


def test_no_error_tells_the_password(proxy: FaultyProxy, store_at: StoreMaker, run_id: str) -> None:
    store = store_at(proxy.uri.replace("://", "://me:hunter2@"))
    for fault in (Answer(401), Answer(503), ResetAfter(), Answer(302, {"Location": "http://me:hunter2@x/"})):
        proxy.on(GET_RUN, fault)
        error = failure(lambda: store.get_run(run_id))
        assert "hunter2" not in f"{error} {error.details}"
    assert proxy.requests(GET_RUN)[0].headers["Authorization"].startswith("Basic ")
    proxy.down()
    assert "hunter2" not in str(failure(lambda: store.get_run(run_id)))


# Creating


@pytest.mark.parametrize(
    "fault",
    [AnswerAfter(503), AnswerAfter(500), ResetAfter(), Cut(3, announced=True), Cut(3, announced=False)],
)
def test_a_run_whose_creation_was_not_confirmed_is_found(
    fault: Fault, proxy: FaultyProxy, store: MlflowTrackingStore
) -> None:
    new = new_run(fresh_name())
    proxy.on(CREATE, fault)
    created = store.create_run(new)
    assert [request.committed for request in proxy.requests(CREATE)] == [200]
    assert store.create_run(new) == created
    assert ids(runs_of(store, new.experiment)) == [created]


def test_a_run_whose_creation_timed_out_after_the_commit_is_found(
    proxy: FaultyProxy, store_at: StoreMaker
) -> None:
    store = store_at(proxy.uri, timeout_s=SILENCE_S)
    new = new_run(fresh_name())
    proxy.on(CREATE, HangAfter())
    assert [store.create_run(new)] == ids(runs_of(store, new.experiment))
    assert len(proxy.requests(CREATE)) == 1


@pytest.mark.parametrize("fault", [Answer(503), ResetBefore()])
def test_a_run_that_was_looked_for_in_vain_is_asked_for_once_more(
    fault: Fault, proxy: FaultyProxy, store: MlflowTrackingStore
) -> None:
    new = new_run(fresh_name())
    proxy.on(CREATE, fault)
    assert [store.create_run(new)] == ids(runs_of(store, new.experiment))
    assert [request.committed for request in proxy.requests(CREATE)] == [None, 200]


def test_a_server_that_never_confirms_is_asked_twice_and_then_left_to_the_caller(
    proxy: FaultyProxy, store: MlflowTrackingStore
) -> None:
    new = new_run(fresh_name())
    proxy.on(CREATE, Answer(503), times=None)
    error = failure(lambda: store.create_run(new))
    assert isinstance(error, TrackingUnavailable)
    assert error.details["outcome"] == "unknown"
    assert len(proxy.requests(CREATE)) == 2
    proxy.forget()
    assert [store.create_run(new)] == ids(runs_of(store, new.experiment))


@pytest.mark.parametrize("answer", [Answer(429, {"Retry-After": "3"}), Answer(408)])
def test_a_creation_that_was_put_off_is_not_looked_for(
    answer: Answer, proxy: FaultyProxy, store: MlflowTrackingStore
) -> None:
    new = new_run(fresh_name())
    proxy.on(CREATE, answer)
    error = failure(lambda: store.create_run(new))
    assert error.details.get("outcome") is None
    assert error.details.get("retry_after_s") == (3.0 if answer.status == 429 else None)
    assert len(proxy.requests(CREATE)) == 1
    assert [store.create_run(new)] == ids(runs_of(store, new.experiment))


def test_when_the_search_fails_too_the_creations_own_error_is_told(
    proxy: FaultyProxy, store: MlflowTrackingStore
) -> None:
    new = new_run(fresh_name())
    store.create_run(new_run(new.experiment))
    proxy.on(CREATE, AnswerAfter(503, {"Retry-After": "4"}))
    proxy.on("/runs/search", Fault())
    proxy.on("/runs/search", Answer(503))
    error = failure(lambda: store.create_run(new))
    assert (error.details["outcome"], error.details["retry_after_s"]) == ("unknown", 4.0)
    created = store.create_run(new)
    assert len(proxy.requests(CREATE)) == 2
    assert [run.run_id for run in runs_of(store, new.experiment) if run.tags[RUN_KEY_TAG] == new.run_key] == [
        created
    ]


def test_a_run_may_show_late_and_is_waited_for_before_another_request(
    proxy: FaultyProxy, store_at: StoreMaker
) -> None:
    """The search lags: it answers without the run until the delay has passed."""
    now = [0.0]
    store = store_at(
        proxy.uri, capabilities=Capabilities(visibility_delay_s=60.0), monotonic_s=lambda: now[0]
    )
    new = new_run(fresh_name())
    store.create_run(new_run(new.experiment))
    proxy.forget()
    proxy.on(CREATE, AnswerAfter(503))
    proxy.on("/runs/search", Answer(200, body=b"{}"), times=3)
    error = failure(lambda: store.create_run(new))
    assert (error.details["outcome"], error.details["retry_after_s"]) == ("unknown", 60.0)
    now[0] = 45.0
    assert failure(lambda: store.create_run(new)).details["retry_after_s"] == 15.0
    now[0] = 59.0
    created = store.create_run(new)
    assert len(proxy.requests(CREATE)) == 1
    assert store.get_run(created).tags[RUN_KEY_TAG] == new.run_key


def test_after_the_delay_a_run_that_never_showed_is_asked_for_again(
    proxy: FaultyProxy, store_at: StoreMaker
) -> None:
    now = [0.0]
    store = store_at(
        proxy.uri, capabilities=Capabilities(visibility_delay_s=60.0), monotonic_s=lambda: now[0]
    )
    new = new_run(fresh_name())
    proxy.on(CREATE, Answer(503))
    failure(lambda: store.create_run(new))
    now[0] = 60.0
    assert [store.create_run(new)] == ids(runs_of(store, new.experiment))
    assert len(proxy.requests(CREATE)) == 2


def test_of_a_late_and_a_repeated_creation_one_run_stays(proxy: FaultyProxy, store_at: StoreMaker) -> None:
    """The first request is done only after the second: the next look finds both."""
    store = store_at(proxy.uri, timeout_s=SILENCE_S)
    new = new_run(fresh_name())
    late = HangBefore()
    proxy.on(CREATE, late)
    store.create_run(new)
    late.release()
    proxy.wait_for_requests(CREATE, 2)
    assert len(runs_of(store, new.experiment)) == 2
    kept = store.create_run(new)
    assert ids(runs_of(store, new.experiment)) == [kept]
    query = RunQuery((new.experiment,), ANY_STATUS, lifecycles=frozenset({Lifecycle.DELETED}))
    assert len(list(store.find(query))) == 1


def test_a_late_creation_that_shows_beside_the_repeated_one_is_resolved_at_once(
    proxy: FaultyProxy, store_at: StoreMaker
) -> None:
    store = store_at(proxy.uri, timeout_s=SILENCE_S)
    new = new_run(fresh_name())
    late = HangBefore()

    class AfterTheLateOne(Fault):
        def before(self, exchange: Exchange) -> Reply | None:
            late.release()
            proxy.wait_for_requests(CREATE, 1)
            return None

    proxy.on(CREATE, late)
    proxy.on(CREATE, AfterTheLateOne())
    kept = store.create_run(new)
    assert [request.committed for request in proxy.requests(CREATE)] == [200, 200]
    assert ids(runs_of(store, new.experiment)) == [kept]


# Writing


@pytest.mark.parametrize("fault", [AnswerAfter(500), AnswerAfter(504), ResetAfter()])
def test_a_batch_that_was_stored_and_is_sent_again_is_one_set_of_rows(
    fault: Fault, proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    batch = RecordBatch({"p": "1"}, metric("m", 1.0, math.nan, 2.0, math.inf).metrics, {"t": "2"})
    proxy.on(LOG_BATCH, fault, times=2)
    for _ in range(2):
        assert failure(lambda: store.record(run_id, batch)).details["outcome"] == "unknown"
    store.record(run_id, batch)
    run = store.get_run(run_id)
    assert (run.params, run.tags["t"]) == ({"p": "1"}, "2")
    assert repr([point.value for point in store.metric_history(run_id, "m")]) == "[1.0, nan, 2.0, inf]"


def test_values_that_are_not_finite_travel_as_text(
    proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    store.record(run_id, RecordBatch(metrics=metric("m", 1.5, math.inf, -math.inf, math.nan).metrics))
    sent = [row["value"] for one in proxy.requests(LOG_BATCH) for row in json.loads(one.body)["metrics"]]
    assert sorted(sent, key=str) == ["-Infinity", 1.5, "Infinity", "NaN"]


@pytest.mark.parametrize("fault", [AnswerAfter(502), ResetAfter()])
def test_an_end_that_was_stored_and_is_sent_again_is_one_end(
    fault: Fault, proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str
) -> None:
    proxy.on(UPDATE, fault)
    assert failure(lambda: store.end_run(run_id, RunStatus.FAILED, START + 5)).details["outcome"] == "unknown"
    store.end_run(run_id, RunStatus.FAILED, START + 9)
    run = store.get_run(run_id)
    assert (run.status, run.ended_at_ms) == (RunStatus.FAILED, START + 5)
    assert len(proxy.requests(UPDATE)) == 1


def test_what_a_write_asks_first_is_not_repeated_either(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str
) -> None:
    store = store_at(proxy.uri, patience=Patience(first_wait_s=0.0))
    proxy.on(GET_RUN, Answer(503), times=None)
    assert isinstance(failure(lambda: store.end_run(run_id, RunStatus.FAILED, START)), TrackingUnavailable)
    assert len(proxy.requests(GET_RUN)) == 1


# Asking


def test_numbers_may_come_as_text(proxy: FaultyProxy, store: MlflowTrackingStore, run_id: str) -> None:
    experiment = store.get_run(run_id).experiment
    answer = {
        "info": {
            "run_id": run_id,
            "experiment_id": 7,
            "status": "Unheard",
            "start_time": "1700000000001",
            "end_time": "1700000000002",
            "lifecycle_stage": "active",
        },
        "data": {
            "metrics": [
                {"key": "a", "value": "1.5", "timestamp": "3", "step": "4"},
                {"key": "b", "value": "Infinity", "timestamp": 3},
                {"key": "c", "value": "NaN", "timestamp": 3, "step": 0},
            ],
            "tags": [{"key": "t", "value": "x"}, {"key": "empty"}],
        },
    }
    named = {"experiment": {"experiment_id": 7, "name": experiment, "lifecycle_stage": "active"}}
    history = {"metrics": [{"key": "c", "value": "NaN", "timestamp": "3", "step": "0"}]}
    proxy.on(GET_RUN, Answer(200, body=json.dumps({"run": answer}).encode()))
    proxy.on("/experiments/get", Answer(200, body=json.dumps(named).encode()))
    proxy.on("/get-history", Answer(200, body=json.dumps(history).encode()))
    run = store.get_run(run_id)
    assert (run.experiment, run.status, run.started_at_ms) == (experiment, RunStatus.RUNNING, START + 1)
    assert (run.ended_at_ms, run.tags) == (START + 2, {"t": "x", "empty": ""})
    assert repr(run.metrics) == "{'a': 1.5, 'b': inf, 'c': nan}"


def test_a_question_is_repeated_until_it_is_answered(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str
) -> None:
    store = store_at(proxy.uri, patience=Patience(first_wait_s=0.0))
    proxy.on(GET_RUN, Answer(503), times=2)
    proxy.on(GET_RUN, ResetBefore(), times=2)
    assert store.get_run(run_id).run_id == run_id
    assert len(proxy.requests(GET_RUN)) == 5


def test_after_five_attempts_a_question_is_given_up(
    proxy: FaultyProxy, store_at: StoreMaker, run_id: str
) -> None:
    store = store_at(proxy.uri, patience=Patience(first_wait_s=0.0))
    proxy.on(GET_RUN, Answer(503), times=None)
    assert isinstance(failure(lambda: store.get_run(run_id)), TrackingUnavailable)
    assert len(proxy.requests(GET_RUN)) == 5


@pytest.mark.parametrize("answer", [Answer(403), Answer(400), Answer(404, body=b"<html>")])
def test_what_will_stay_so_is_asked_once(
    answer: Answer, proxy: FaultyProxy, store_at: StoreMaker, run_id: str
) -> None:
    store = store_at(proxy.uri, patience=Patience(first_wait_s=0.0))
    proxy.on(GET_RUN, answer, times=None)
    failure(lambda: store.get_run(run_id))
    assert len(proxy.requests(GET_RUN)) == 1


def test_a_later_page_that_fails_is_repeated_or_fails_the_query(
    proxy: FaultyProxy, store_at: StoreMaker
) -> None:
    small = Capabilities(search_page=2)
    store = store_at(proxy.uri, capabilities=small, patience=Patience(first_wait_s=0.0))
    new = [new_run("", START + i) for i in range(5)]
    experiment = fresh_name()
    made = [store.create_run(NewRun(one.run_key, experiment, "a run", one.started_at_ms, {})) for one in new]
    proxy.forget()
    proxy.on("/runs/search", Fault())
    proxy.on("/runs/search", Answer(503), times=2)
    assert ids(runs_of(store, experiment)) == made
    proxy.on("/runs/search", Fault())
    proxy.on("/runs/search", Answer(503), times=None)
    found = store.find(RunQuery((experiment,), ANY_STATUS))
    next(found)
    with pytest.raises(TrackingUnavailable):
        list(found)
