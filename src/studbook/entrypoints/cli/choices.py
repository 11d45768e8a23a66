"""Options whose text means something: one of several words, a moment, a key with its value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

import typer

from .upkeep import seconds

E = TypeVar("E", bound=StrEnum)


def each_of(kind: type[E], words: Iterable[str] | None, option: str) -> tuple[E, ...]:
    """The members that are named, whatever their case. A usage error lists the valid words."""
    members = {str(member).lower(): member for member in kind}
    found = []
    for word in words or ():
        if word.lower() not in members:
            raise typer.BadParameter(f"{option} {word!r}: use one of {', '.join(str(m) for m in kind)}")
        found.append(members[word.lower()])
    return tuple(found)


def moment_ns(text: str | None, option: str, now_ns: int) -> int | None:
    """A time, UTC unless it says otherwise, or so long ago, as 2h; UTC nanoseconds. A usage error otherwise."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        ago = seconds(text, option)
        return None if ago is None else now_ns - int(ago * 1e9)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000


def pairs(items: Iterable[str] | None, option: str) -> dict[str, str]:
    """Each `key=value`, split at the first sign. A usage error for what has none."""
    found = {}
    for item in items or ():
        key, sign, value = item.partition("=")
        if not sign or not key:
            raise typer.BadParameter(f"{option} {item!r}: give key=value")
        found[key] = value
    return found
