"""What the verbs that look after a home have in common."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from .command_line import CommandLine

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...application.home_status import TargetStatus
    from ...config.container import Container
    from ...ports.delivery_ledger import Refusal
    from ...ports.journal_survey import DamagedPlace

_KEY_DIGITS = 16


def wired(cli: CommandLine) -> Container:
    """The use cases of this call, without a book: nothing is recorded, and no client is loaded."""
    from importlib.metadata import version

    from ...config.container import Container

    return Container(loaded=cli.loaded, version=version("studbook"))


def sync_command(cli: CommandLine, target: TargetStatus) -> str:
    """What delivers to a target what waits for it."""
    uri, home = shlex.quote(target.target), shlex.quote(str(cli.loaded.home))
    if target.taken_over:
        return f"studbook --home {home} --tracking-uri {uri} sync"
    if target.configured:
        return "studbook sync" if cli.options.home is None else f"studbook --home {home} sync"
    # Not --tracking-uri: that takes the events of all targets there.
    return f"STUDBOOK_TRACKING__URI={uri} studbook --home {home} sync"


def seconds(text: str | None, option: str) -> float | None:
    """A duration as settings take it: seconds, or a number with s, m, h or d. A usage error otherwise."""
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from ...config.schema import Seconds

    try:
        return float(TypeAdapter(Seconds).validate_python(text))
    except ValidationError:
        raise typer.BadParameter(
            f"{option} {text!r}: give a number of seconds, or a number with s, m, h or d, as 90s or 2h"
        ) from None


def moment(ns: int) -> datetime:
    """A time of the journal, UTC, to the microsecond."""
    whole, rest = divmod(ns, 1_000_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest // 1000)


def short_key(run_key: str | None) -> str:
    """The beginning of a run key, enough to name the run."""
    return "-" if run_key is None else run_key[:_KEY_DIGITS]


def count(number: int, what: str) -> str:
    """A number of things: `1 event`, `2 events`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def text_of(lines: Iterable[str]) -> RenderableType:
    """Lines for people, nothing in them read as markup."""
    from rich.text import Text

    return Text("\n".join(lines))


def refusals(refused: Iterable[Refusal]) -> list[dict[str, object]]:
    """Refused events for programs."""
    return [
        {"writer": each.writer, "sequence": each.sequence, "run": each.run_key, "reason": each.reason}
        for each in refused
    ]


def refusal_lines(refused: tuple[Refusal, ...], command: str) -> list[str]:
    """Each refused event with its reason, and what to do; `command` delivers to its target."""
    if not refused:
        return []
    return [
        f"{count(len(refused), 'event')} refused:",
        *(f"  {each.writer}/{each.sequence}  {short_key(each.run_key)}  {each.reason}" for each in refused),
        f"  mend the cause; `{command} --refused` then sends them again",
        f"  or give them up: `{command} --dismiss all`, or one of them by its name",
    ]


def damages(damage: Iterable[DamagedPlace]) -> list[dict[str, object]]:
    """Damaged places of the journal for programs."""
    return [
        {
            "segment": place.segment,
            "offset": place.offset,
            "size": place.size,
            "problem": place.problem,
            "cure": place.cure,
            "holds": place.holds,
            "quarantined": place.quarantined,
        }
        for place in damage
    ]


def damage_lines(damage: Iterable[DamagedPlace]) -> list[str]:
    """Each damaged place, and what to do."""
    lines = []
    for place in damage:
        lines.append(f"damaged: {place.segment} at byte {place.offset}, {place.size} bytes: {place.problem}")
        lines.append(f"  {place.cure}")
        if place.quarantined is not None:
            lines.append(f"  the copy is {place.quarantined}")
    return lines
