"""How long the relay waits before it tries again."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.errors import TrackingUnavailable

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: a wait is drawn from 0 to min(cap, base · 2ⁿ), all in seconds; files have their own base and cap.

    A server that asks to be left alone (`Retry-After`) is, for `retry_after_cap_s` at most.
    """

    base_s: float = 0.5
    cap_s: float = 60.0
    retry_after_cap_s: float = 600.0
    transfer_base_s: float = 2.0
    transfer_cap_s: float = 60.0

    def wait_s(self, failures: int, error: TrackingUnavailable, share: float) -> float:
        """The wait after so many failures in a row, `share` of the longest; never shorter than was asked for."""
        of_a_file = bool(error.details.get("transfer"))
        base_s = self.transfer_base_s if of_a_file else self.base_s
        cap_s = self.transfer_cap_s if of_a_file else self.cap_s
        longest = min(cap_s, base_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
        return max(share * longest, self.asked_for_s(error))

    def asked_for_s(self, error: TrackingUnavailable) -> float:
        """How long the server asked to be left alone."""
        asked_for = error.details.get("retry_after_s")
        return min(float(asked_for), self.retry_after_cap_s) if isinstance(asked_for, int | float) else 0.0
