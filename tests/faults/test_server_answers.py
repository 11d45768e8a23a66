"""A server that answers wrongly, late or not at all: each thing is stored once, and training does not wait for it."""

from __future__ import annotations

import pytest

from faults.fault_home import FaultHome
from faults.http_faults import Answer, AnswerAfter, Fault, FaultyProxy, HangAfter, HangBefore, ResetAfter
from faults.served import training

CREATE = "/runs/create"
LOG_BATCH = "/runs/log-batch"
UPDATE = "/runs/update"
ASK = "/experiments/get-by-name"
FILES = "/mlflow-artifacts/artifacts/"
_ASKED_FOR_S = 2


@pytest.mark.parametrize("endpoint", [ASK, CREATE, LOG_BATCH, UPDATE])
def test_a_server_that_is_too_busy_is_left_alone_for_as_long_as_it_says(
    served_home: FaultHome, proxy: FaultyProxy, endpoint: str
) -> None:
    proxy.on(endpoint, Answer(429, {"Retry-After": str(_ASKED_FOR_S)}))
    with training(served_home, "sidecar") as trains:
        trains.goes_on(100)
        trains.leaves()
        first, *_ = refused = [one for one in proxy.requests() if one.committed is None]
        assert len(refused) == 1
        later = [one.at_s for one in proxy.requests() if one.at_s > first.at_s]
        assert min(later) - first.at_s >= _ASKED_FOR_S
        assert len(created(proxy)) == len({call.run for call in trains.calls})


@pytest.mark.parametrize("endpoint", [CREATE, LOG_BATCH, UPDATE, FILES])
@pytest.mark.parametrize("fault", [AnswerAfter(503), ResetAfter()])
def test_what_a_server_did_and_did_not_confirm_is_stored_once(
    served_home: FaultHome, proxy: FaultyProxy, endpoint: str, fault: Fault
) -> None:
    with training(served_home, "inline") as trains:
        trains.goes_on(100)
        proxy.on(endpoint, fault, times=2)
        trains.is_delivered()
        assert len(proxy.requests(endpoint)) > 2
        assert len(created(proxy)) == len({call.run for call in trains.calls})


def test_a_relay_process_whose_every_first_write_goes_unconfirmed_stores_all_once(
    served_home: FaultHome, proxy: FaultyProxy
) -> None:
    for endpoint in (CREATE, LOG_BATCH, UPDATE):
        proxy.on(endpoint, AnswerAfter(503), times=2)
    with training(served_home, "sidecar") as trains:
        trains.goes_on(100)
        trains.sees_delivery_fail()
        trains.goes_on(100)
        trains.leaves()
        assert len(created(proxy)) == len({call.run for call in trains.calls})


@pytest.mark.parametrize("endpoint", [CREATE, LOG_BATCH])
@pytest.mark.parametrize("hang", [HangBefore, HangAfter])
def test_a_server_that_says_nothing_holds_up_the_relay_and_not_the_training(
    served_home: FaultHome, proxy: FaultyProxy, endpoint: str, hang: type[HangAfter]
) -> None:
    silence = hang()
    proxy.on(endpoint, silence)
    with training(served_home, "sidecar") as trains:
        trains.goes_on(10)
        silence.wait_until_hanging()
        # Nothing but this ends the silence: whoever waited for the server would wait for ever.
        trains.goes_on(400)
        silence.release()
        trains.leaves()
        assert len(created(proxy)) == len({call.run for call in trains.calls})


@pytest.mark.parametrize("endpoint", ["", LOG_BATCH])
def test_a_barrier_in_this_process_ends_in_time_though_the_server_says_nothing(
    served_home: FaultHome, proxy: FaultyProxy, endpoint: str
) -> None:
    silence = HangAfter()
    proxy.on(endpoint, silence, times=None)
    with training(served_home, "inline") as trains:
        trains.goes_on(100)
        # Nothing but what follows the barrier ends the silence.
        trains.sees_delivery_fail()
        proxy.forget()
        silence.release()


def created(proxy: FaultyProxy) -> list[int | None]:
    """The creations that the server did."""
    return [one.committed for one in proxy.requests(CREATE) if one.committed == 200]
