"""Events of older schema versions, as the current version would have written them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from .events import SCHEMA_VERSION

RawEvent = dict[str, JsonValue]
"""An event as JSON holds it, with its `kind`."""

Upcaster = Callable[[RawEvent], RawEvent]
"""Turns an event of one version into the same event of the next; events that did not change pass through."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """The version that is written, and `upcasters[n]` from version n to n + 1 for each one before it.

    An upcaster is named `upcast_v<n>_v<n+1>`, is pure, and never changes once it is released.
    """

    version: int
    upcasters: Mapping[int, Upcaster] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.upcasters) != set(range(1, self.version)):
            raise ValueError(f"version {self.version} needs one upcaster from each version before it")

    def upcast(self, event: RawEvent, version: int) -> RawEvent:
        """The event of `version` (1 to the current one) as the current version says it."""
        for step in range(version, self.version):
            event = self.upcasters[step](event)
        return event


CURRENT_SCHEMA = EventSchema(SCHEMA_VERSION)
