"""Options that take one of several words."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

import typer

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
