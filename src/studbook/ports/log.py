"""Where the library logs to: the program's structlog if it has set it up, else the standard library's logging."""

from __future__ import annotations

import logging
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from ..domain.redaction import redact


def get_logger(name: str) -> Any:
    """A structlog logger of this name. Unconfigured structlog prints to stdout, which belongs to the program:
    then records go through `logging`, as one line of `event field=value …` without secrets.
    """
    return structlog.wrap_logger(
        logging.getLogger(name), processors=[_emit], wrapper_class=structlog.stdlib.BoundLogger
    )


def _emit(logger: WrappedLogger, method: str, event: EventDict) -> dict[str, Any]:
    if structlog.is_configured():
        getattr(structlog.get_logger(logger.name), method)(**event)
        raise structlog.DropEvent
    message = str(event.pop("event", ""))
    exc_info = event.pop("exc_info", None)
    fields = " ".join(f"{key}={value!r}" for key, value in event.items())
    return {"msg": redact(f"{message} {fields}".strip()), "exc_info": exc_info}
