"""How far this machine's clock and a server's are apart."""

from __future__ import annotations

from datetime import UTC, datetime

from ...ports.checkup import Finding, ok, warning

_SKEW_S = 60.0


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


def clock_finding(here: datetime, there: datetime) -> Finding:
    """Both clocks, read at one moment."""
    skew_s = (here - there).total_seconds()
    if abs(skew_s) <= _SKEW_S:
        return ok(f"within {_SKEW_S:.0f} s of the server's")
    ahead = "ahead of" if skew_s > 0 else "behind"
    return warning(
        f"this machine's clock is {abs(skew_s):.0f} s {ahead} the server's",
        "set both by NTP: the times of runs are off by as much, and tokens expire early or late",
    )
