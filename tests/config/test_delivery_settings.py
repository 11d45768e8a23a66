"""Every key about the backend reaches the part that obeys it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studbook.adapters.mlflow.patience import Patience
from studbook.application.backoff import Backoff
from studbook.config.container import Container
from studbook.config.settings import load_settings
from studbook.domain.errors import ConfigError

SERVER = "http://tracking.invalid:5000"
RETRY = {
    "retry.base": 1.5,
    "retry.cap": "2m",
    "retry.retry_after_cap": 30,
    "retry.denied_pause": 7,
    "retry.attempts": 3,
    "retry.within": "9s",
    "retry.transfer_base": 4,
    "retry.transfer_cap": 5,
}


def wired(folder: Path, **said: object) -> Any:
    loaded = load_settings(folder, {"tracking.uri": SERVER, **said}, {})
    return Container(loaded=loaded, version="1.2.3")


def test_the_shipped_values_are_those_of_the_parts_themselves(tmp_path: Path) -> None:
    built = wired(tmp_path)
    assert built.relay()._backoff == Backoff()
    assert built.tracking_store()._patience == Patience()
    assert built.tracking_store()._timeout_s == 60.0


def test_the_relay_waits_as_it_is_told(tmp_path: Path) -> None:
    built = wired(tmp_path, **RETRY)
    assert built.relay()._backoff == Backoff(1.5, 120.0, 30.0, 4.0, 5.0)
    assert built.relay_service()._denied_pause_s == 7.0


def test_questions_are_repeated_as_they_are_told(tmp_path: Path) -> None:
    built = wired(tmp_path, **RETRY)
    assert built.tracking_store()._patience == Patience(3, 9.0, 1.5, 120.0)
    assert built.artifact_store()._patience == Patience(3, 9.0, 4.0, 5.0)


def test_a_silent_server_is_waited_for_as_long_as_is_told(tmp_path: Path) -> None:
    built = wired(tmp_path, **{"tracking.timeout": "90s"})
    assert built.tracking_store()._timeout_s == 90.0
    assert built.artifact_store()._timeout_s == 90.0


def test_batches_are_as_large_as_is_told(tmp_path: Path) -> None:
    assert wired(tmp_path, **{"delivery.batch": 17}).relay()._pass._batch == 17


@pytest.mark.parametrize(
    "said",
    [
        {"tracking.timeout": 0},
        {"delivery.batch": 0},
        {"retry.attempts": 0},
        {"retry.base": "soon"},
        {"retry.cap": -1},
    ],
    ids=str,
)
def test_values_that_cannot_work_are_refused(tmp_path: Path, said: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(said))):
        wired(tmp_path, **said)
