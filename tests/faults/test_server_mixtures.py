"""Faults of all kinds, drawn from a seed, while a training goes on: the server holds all of it once in the end."""

from __future__ import annotations

import random

import pytest

from faults.fault_home import FaultHome
from faults.http_faults import (
    Answer,
    AnswerAfter,
    Cut,
    Fault,
    FaultyProxy,
    HangAfter,
    HangBefore,
    ResetAfter,
    ResetBefore,
)
from faults.seeds import every_seed
from faults.served import Delivery, Training, training

_ROUNDS = 4
_ENDPOINTS = (
    "",
    "/experiments/",
    "/runs/create",
    "/runs/log-batch",
    "/runs/update",
    "/runs/search",
    "/runs/get",
    "/mlflow-artifacts/",
)
_SERVER_ERRORS = (500, 502, 503, 504)


def any_fault(draw: random.Random) -> Fault:
    """A fault that passes by itself."""
    return draw.choice(
        (
            Answer(draw.choice((408, 429, *_SERVER_ERRORS))),
            Answer(draw.choice((429, 503)), {"Retry-After": "1"}),
            AnswerAfter(draw.choice(_SERVER_ERRORS)),
            ResetBefore(),
            ResetAfter(),
            Cut(draw.randrange(20), announced=draw.random() < 0.5),
        )
    )


def misfortune(trains: Training, proxy: FaultyProxy, draw: random.Random, delivery: Delivery) -> None:
    """Something goes wrong while the training goes on; it is over when this returns, or passes by itself."""
    kind = draw.choice(("fault", "fault", "fault", "outage", "silence"))
    if kind == "outage":
        proxy.down()
        trains.goes_on(draw.randrange(1, 80))
        trains.sees_delivery_fail()
        proxy.up()
    elif kind == "silence" and delivery == "sidecar":
        silence = draw.choice((HangBefore, HangAfter))()
        proxy.on("", silence)
        trains.begins_a_run()
        silence.wait_until_hanging()
        trains.goes_on(draw.randrange(1, 80))
        silence.release()
    else:
        proxy.on(draw.choice(_ENDPOINTS), any_fault(draw), times=draw.randrange(1, 3))
        trains.goes_on(draw.randrange(1, 80))


@every_seed
@pytest.mark.parametrize("delivery", ["sidecar", "inline"])
def test_nothing_is_lost_or_stored_twice(
    served_home: FaultHome, proxy: FaultyProxy, delivery: Delivery, seed: int
) -> None:
    draw = random.Random(seed)
    with training(served_home, delivery, seed) as trains:
        for _ in range(_ROUNDS):
            misfortune(trains, proxy, draw, delivery)
            trains.is_delivered()
            proxy.forget()
