"""Tells of runs as they begin and end: to the keep-alive, and to whoever delivers."""

from __future__ import annotations

from ..domain.keys import RunKey
from .delivery import Delivery
from .keepalive import KeepAlive


class SignsOfLife:
    """The recorder's hook: a run begins only after its writer's lease is held, and somebody is there to deliver it."""

    def __init__(self, keepalive: KeepAlive, delivery: Delivery) -> None:
        self._keepalive = keepalive
        self._delivery = delivery
        self.touch = keepalive.touch

    def opened(self, run_key: RunKey) -> None:
        """A run of this process is about to begin."""
        self._keepalive.opened(run_key)
        self._delivery.begin()

    def ended(self, run_key: RunKey) -> None:
        """The run is about to end."""
        self._keepalive.ended(run_key)
