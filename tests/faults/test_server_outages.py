"""A server that is away, at the start or midway: training goes on, and the server holds all of it in the end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.fault_home import FaultHome
from faults.http_faults import FaultyProxy
from faults.seeds import THOROUGH
from faults.served import Delivery, training
from faults.waiting import wait_for
from servers.mlflow_server import bare_app, free_port

_OUTAGES_S = (0.0, 20.0) if THOROUGH else (0.0,)
"""How long at least; 0: until it was noticed."""

both = pytest.mark.parametrize("delivery", ["sidecar", "inline"])


@both
def test_a_server_that_comes_up_late(served_home: FaultHome, proxy: FaultyProxy, delivery: Delivery) -> None:
    proxy.down()
    with training(served_home, delivery) as trains:
        trains.goes_on()
        trains.sees_delivery_fail()
        trains.goes_on()
        assert served_home.delivered() == 0
        assert proxy.requests() == []
        proxy.up()
        trains.goes_on()


@both
@pytest.mark.parametrize("outage_s", _OUTAGES_S)
def test_a_server_that_stops_midway(
    served_home: FaultHome, proxy: FaultyProxy, delivery: Delivery, outage_s: float
) -> None:
    with training(served_home, delivery) as trains:
        trains.goes_on()
        trains.is_delivered()
        proxy.down()
        began, delivered = time.monotonic(), served_home.delivered()
        trains.goes_on(400)
        trains.sees_delivery_fail()
        while time.monotonic() - began < outage_s:
            trains.goes_on(10)
            time.sleep(0.1)
        assert served_home.delivered() == delivered
        assert served_home.pending() >= 400
        proxy.up()
        trains.goes_on()


def test_a_server_that_is_killed_while_it_serves_and_started_again(
    tmp_path: Path, empty_database: Path
) -> None:
    port = free_port()
    folder = tmp_path / "server"
    folder.mkdir()
    with ExitStack() as servers, FaultHome(tmp_path, f"http://127.0.0.1:{port}").ends() as home:
        first = servers.enter_context(bare_app(folder, empty_database, port))
        with training(home, "sidecar") as trains:
            trains.goes_on(400)
            wait_for("the first deliveries", home.delivered)
            trains.goes_on(400)
            os.killpg(first.group, signal.SIGKILL)
            trains.goes_on()
            trains.sees_delivery_fail()
            servers.enter_context(bare_app(folder, empty_database, port))
