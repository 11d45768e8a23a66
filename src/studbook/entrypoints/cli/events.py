"""`studbook events`: what the journal holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from .choices import moment_ns
from .command_line import CommandLine
from .upkeep import moment, short_key, wired

if TYPE_CHECKING:
    from ...domain.events import Envelope

_PAYLOAD = 100


def events(
    cli: CommandLine,
    *,
    run: Annotated[
        str | None, typer.Option(help="Only of this run: its key, or the beginning of it.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind, as RunStarted; may be given again.")
    ] = None,
    writer: Annotated[
        str | None, typer.Option(help="Only of this writer: its id, or the beginning of it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only since then: a time (UTC), or so long ago, as 2h.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, and show what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the events of the home's journal by time, delivered or not, whatever target they are for.

    Asks no backend. With --json an array; with --follow and --json one document a line.
    """
    from ...application.list_events import EventFilter

    container = wired(cli)
    wanted = EventFilter(
        run=run,
        writer=writer,
        kinds=_kinds(kind),
        since_ns=moment_ns(since, "--since", container.clock().now_ns()),
    )
    listing = container.list_events()
    if follow:
        try:
            for each in listing.follow(wanted):
                cli.output.line(_document(each), _line(each))
        except KeyboardInterrupt:  # the one way to end it
            return
    found = listing(wanted)
    if cli.output.as_json:
        cli.output.show([_document(each) for each in found], str)
    else:
        for each in found:
            cli.output.line(None, _line(each))
    if not found:
        cli.output.note("no event of this home matches")
        raise typer.Exit(3)


def _kinds(words: Iterable[str] | None) -> frozenset[str]:
    from difflib import get_close_matches
    from typing import get_args

    from ...domain.events import Event

    union, _ = get_args(Event)
    known = {event.__name__.lower(): event.__name__ for event in get_args(union)}
    found = set()
    for word in words or ():
        if word.lower() not in known:
            near = get_close_matches(word.lower(), known, n=1)
            hint = f"did you mean {known[near[0]]}?" if near else f"one of {', '.join(known.values())}"
            raise typer.BadParameter(f"--kind {word!r}: {hint}")
        found.add(known[word.lower()])
    return frozenset(found)


def _document(envelope: Envelope) -> dict[str, object]:
    return {
        "at": moment(envelope.occurred_at_ns),
        "occurred_at_ns": envelope.occurred_at_ns,
        "writer": envelope.writer,
        "sequence": envelope.sequence,
        "kind": envelope.event.kind,
        "run": envelope.run_key,
        "event": envelope.event,
    }


def _line(envelope: Envelope) -> str:
    from ...domain.redaction import redact

    at = moment(envelope.occurred_at_ns).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    payload = redact(envelope.event.model_dump_json(exclude={"kind"}, exclude_none=True))
    short = payload if len(payload) <= _PAYLOAD else payload[: _PAYLOAD - 1] + "…"
    event = envelope.event.kind
    return f"{at}  {envelope.writer}  {envelope.sequence}  {event}  {short_key(envelope.run_key)}  {short}"
