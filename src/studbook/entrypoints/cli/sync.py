"""`studbook sync`: deliver what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .command_line import CommandLine
from .upkeep import (
    count,
    damage_lines,
    damages,
    refusal_lines,
    refusals,
    seconds,
    sync_command,
    text_of,
    wired,
)

if TYPE_CHECKING:
    from ...application.home_status import HomeStatus, TargetStatus
    from ...application.sync import Synced
    from ...config.container import Container
    from ...ports.delivery_ledger import Refusal


def sync(
    cli: CommandLine,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, and deliver what comes, until Ctrl-C.")
    ] = False,
    refused: Annotated[
        bool, typer.Option("--refused", help="Also send again what the backend refused before.")
    ] = False,
    dismiss: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REF",
            help="First put a refused event away for good: <writer>/<sequence>, a run, or all; may be given again.",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Give up after so long (90s, 2h); else after a minute without progress."
        ),
    ] = None,
) -> None:
    """Deliver what waits in the home, once. Exit code 4 when something still waits or was refused.

    Takes what was recorded for the configured target; with --tracking-uri before the verb, everything in the
    home goes there, whatever target it was recorded for. If a relay is at work, its delivery is waited for.
    """
    from ...application.sync import NOTHING_DONE

    if follow and (refused or dismiss or timeout is not None):
        raise typer.BadParameter(
            "--follow has no end: give --refused, --dismiss or --timeout in a call of their own"
        )
    limit = seconds(timeout, "--timeout")
    dismissed: tuple[Refusal, ...] = ()
    everything = cli.options.tracking_uri is not None
    carriers = [wired(cli), _to_one(cli)] if everything else [wired(cli)]
    if follow:
        _follow(carriers[-1])
        done = [carrier.sync().done() for carrier in carriers]
    elif cli.loaded.home.is_dir():
        dismissed = carriers[0].dismiss()(dismiss or ())
        # With all targets: first what is this one's own, whose files are then no longer needed in the home.
        done = [carrier.sync()(limit, refused=refused) for carrier in carriers]
        carriers[0].forget_dead()()
    else:
        cli.output.note(f"there is no home {cli.loaded.home}: nothing was recorded")
        done = [NOTHING_DONE]
    _answer(cli, done, dismissed, carriers[0].status()(), everything=everything)


def _to_one(cli: CommandLine) -> Container:
    from ...config.upkeep import deliver_all

    container = wired(cli)
    deliver_all(container)
    return container


def _follow(container: Container) -> None:
    try:
        container.relay_service().run(stay=True)
    except KeyboardInterrupt:  # the one way to end it; what was under way is delivered again
        return


def _answer(
    cli: CommandLine,
    done: list[Synced],
    dismissed: tuple[Refusal, ...],
    status: HomeStatus,
    *,
    everything: bool,
) -> None:
    last = done[-1]
    delivered, resent = sum(each.delivered for each in done), sum(each.resent for each in done)
    others = [] if everything else [each for each in status.others if each.pending or each.refusals]
    damage = status.journal.damage
    target = status.configured.target
    document = {
        "target": target,
        "delivered": delivered,
        "resent": resent,
        "dismissed": refusals(dismissed),
        "pending": last.pending,
        "refused": refusals(last.refusals),
        "other_targets": [
            {
                "target": each.target,
                "pending": each.pending,
                "refused": len(each.refusals),
                "relay_at_work": each.relay_at_work,
                "command": _command(cli, each),
            }
            for each in others
        ],
        "damage": damages(damage),
    }

    what = f"{count(delivered, 'event')} delivered" if delivered else "nothing was pending"
    lines = [f"{target}: {what}"]
    if resent:
        lines.append(f"{count(resent, 'event')} taken that had been refused")
    if dismissed:
        lines.append(f"{count(len(dismissed), 'refused event')} dismissed")
    if last.pending:
        lines.append(
            f"{count(last.pending, 'event')} pending: `{sync_command(cli, status.configured)}` goes on"
        )
    lines += refusal_lines(last.refusals, sync_command(cli, status.configured)) + damage_lines(damage)
    for each in others:
        lines += _other(cli, each)
    cli.output.show(document, lambda: text_of(lines))
    if last.pending or last.refusals or damage or any(each.waits or each.refusals for each in others):
        raise typer.Exit(4)


def _other(cli: CommandLine, other: TargetStatus) -> list[str]:
    waits = [f"{count(other.pending, 'event')} pending"] if other.pending else []
    waits += [f"{len(other.refusals)} refused"] if other.refusals else []
    who = "; a relay is at work" if other.relay_at_work else ""
    return [
        f"recorded for another target, {other.target}: {', '.join(waits)}{who}",
        f"  {_command(cli, other)}",
    ]


def _command(cli: CommandLine, other: TargetStatus) -> str:
    return sync_command(cli, other) + (" --refused" if other.refusals else "")
