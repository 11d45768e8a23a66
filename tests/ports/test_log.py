"""The library's log, with and without a structlog of the program's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from studbook.ports.log import get_logger


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_an_unconfigured_program_gets_records_through_logging_and_nothing_on_stdout(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        get_logger("studbook.relay").warning("backend unavailable", tries=3)
    assert caplog.messages == ["backend unavailable tries=3"]
    assert caplog.records[0].name == "studbook.relay"
    assert capsys.readouterr().out == ""


def test_secrets_do_not_reach_the_record(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("studbook").warning("connect", uri="postgresql://me:hush@host/db")
    assert "hush" not in caplog.text


def test_a_program_with_structlog_gets_the_fields() -> None:
    structlog.configure()
    with capture_logs() as records:
        get_logger("studbook").info("delivered", runs=3)
    assert records == [{"event": "delivered", "runs": 3, "log_level": "info"}]


def test_a_traceback_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("inside")
    except ValueError:
        get_logger("studbook").exception("failed")
    assert "ValueError: inside" in caplog.text
