"""Logging of the command line. A program that uses studbook as a library keeps the set-up that it has."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ..domain.redaction import redact

_SECRET_FIELD = re.compile(
    r"(?:^|[_.-])(?:password|passwd|pwd|secret|token|credential|signature|sas|api_?key)s?(?:$|[_.-])",
    re.IGNORECASE,
)


def configure_logging(level: str, stream: TextIO, *, as_json: bool) -> None:
    """Send structlog's and the standard library's records of this level and above to one stream.

    One line a record, with its fields: JSON for programs, `key=value` for people. Secrets are masked.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_secrets,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: masks fields that are named for secrets, and secrets inside any text."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: str, value: object) -> object:
    if key in {"_record", "_from_structlog"}:
        return value
    if _SECRET_FIELD.search(key):
        return "***"
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(name): _masked(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))
