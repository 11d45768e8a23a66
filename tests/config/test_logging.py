"""The command line's log: one line a record, with its fields, and without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from studbook.config.logging import configure_logging, redact_secrets


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_fields_are_json_for_programs(stream: io.StringIO) -> None:
    configure_logging("info", stream, as_json=True)
    structlog.get_logger("studbook.relay").info("delivered", runs=3)
    record = json.loads(stream.getvalue())
    assert (record["event"], record["runs"], record["level"]) == ("delivered", 3, "info")


def test_records_below_the_level_are_dropped(stream: io.StringIO) -> None:
    configure_logging("warning", stream, as_json=False)
    structlog.get_logger("studbook").info("quiet")
    logging.getLogger("vendor").info("quiet")
    assert stream.getvalue() == ""


def test_secrets_of_ours_and_of_vendors_are_masked(stream: io.StringIO) -> None:
    configure_logging("info", stream, as_json=False)
    log = structlog.get_logger("studbook")
    log.warning("retry", uri="postgresql://me:hush@host/db", api_key="hush", nested={"token": "hush"})
    log.warning("get https://x/y?sig=hush&a=b", parts=["https://me:hush@host"])
    logging.getLogger("vendor").warning("connect to %s", "mysql://me:hush@host")
    try:
        raise ValueError("postgresql://me:hush@host")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert "hush" not in text
    assert "ValueError" in text
    assert text.count("event=") == 4


def test_plain_values_pass_through() -> None:
    event = {"runs": 3, "rate": 0.5, "done": True, "none": None, "token_count": "many"}
    shown = redact_secrets(None, "info", dict(event))
    assert {key: shown[key] for key in ("runs", "rate", "done", "none")} == {
        "runs": 3,
        "rate": 0.5,
        "done": True,
        "none": None,
    }
