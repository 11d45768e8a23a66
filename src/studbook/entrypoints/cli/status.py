"""`studbook status`: how a home is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .command_line import CommandLine
from .upkeep import (
    count,
    damage_lines,
    damages,
    moment,
    refusal_lines,
    refusals,
    short_key,
    sync_command,
    text_of,
    wired,
)

if TYPE_CHECKING:
    from ...application.home_status import HomeStatus, TargetStatus
    from ...ports.journal_survey import JournalView


def status(cli: CommandLine) -> None:
    """Show what waits for delivery, what was refused, who writes, and how the journal is.

    Exit code 4 when something needs attention. Asks no backend.
    """
    found = wired(cli).status()()
    cli.output.show(_document(cli, found), lambda: text_of(_lines(cli, found)))
    if found.needs_attention:
        raise typer.Exit(4)


def _document(cli: CommandLine, found: HomeStatus) -> dict[str, object]:
    return {
        "home": cli.loaded.home,
        "needs_attention": found.needs_attention,
        "targets": [
            {
                "target": each.target,
                "configured": each.configured,
                "pending": each.pending,
                "oldest": None if each.oldest_ns is None else moment(each.oldest_ns),
                "refused": refusals(each.refusals),
                "dismissed": each.dismissed,
                "relay_at_work": each.relay_at_work,
                "problem": each.problem,
                "lost_runs": [{"run": run.run_key, "writer": run.writer} for run in each.lost],
                "needs_attention": each.needs_attention,
                "command": sync_command(cli, each),
            }
            for each in found.targets
        ],
        "writers": [
            {
                "writer": each.writer,
                "liveness": each.liveness,
                "doubt": each.doubt,
                "host": each.host,
                "pid": each.pid,
            }
            for each in found.writers
        ],
        "journal": {
            "segments": found.journal.segments,
            "bytes": found.journal.size,
            "torn": found.journal.torn,
            "damage": damages(found.journal.damage),
            "quarantined": found.journal.quarantined,
        },
    }


def _lines(cli: CommandLine, found: HomeStatus) -> list[str]:
    lines = [f"home {cli.loaded.home}"]
    if not cli.loaded.home.is_dir():
        lines.append("  not there yet: nothing was recorded")
    for each in found.targets:
        lines += ["", *_target(cli, each)]
    lines += ["", "writers that hold a lease", *([] if found.writers else ["  none"])]
    for writer in found.writers:
        doubt = f" ({writer.doubt})" if writer.doubt is not None else ""
        lines.append(f"  {writer.writer}  {writer.liveness}{doubt}  pid {writer.pid} on {writer.host}")
    return [*lines, "", *_journal(found.journal)]


def _target(cli: CommandLine, target: TargetStatus) -> list[str]:
    lines = [f"target {target.target}{'' if target.configured else '  (not the configured one)'}"]
    if target.oldest_ns is None:
        lines.append("  nothing pending")
    else:
        oldest = moment(target.oldest_ns).strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f"  {count(target.pending, 'event')} pending, the oldest of {oldest} UTC")
    lines.append("  a relay is at work" if target.relay_at_work else "  no relay is at work")
    if target.problem is not None:
        lines.append(f"  problem: {target.problem}")
    if target.waits and not target.relay_at_work:
        lines.append(f"  `{sync_command(cli, target)}` delivers them")
    lines += [f"  {line}" for line in refusal_lines(target.refusals, sync_command(cli, target))]
    if target.dismissed:
        lines.append(f"  {count(target.dismissed, 'refused event')} dismissed")
    if target.lost:
        runs = ", ".join(short_key(run.run_key) for run in target.lost)
        lines.append(f"  {count(len(target.lost), 'open run')} of programs that died: {runs}")
        lines.append("  `studbook reap` ends them")
    return lines


def _journal(journal: JournalView) -> list[str]:
    lines = [f"journal of {count(journal.segments, 'segment')}, {journal.size:,} bytes"]
    if journal.torn:
        torn = count(journal.torn, "segment")
        lines.append(f"  {torn} with an unfinished last line: what a killed program leaves; nothing to do")
    lines += [f"  {line}" for line in damage_lines(journal.damage)]
    if journal.quarantined:
        copies = "copy" if len(journal.quarantined) == 1 else "copies"
        folder = journal.quarantined[0].parent
        lines.append(f"  {len(journal.quarantined)} {copies} of damaged lines in {folder}")
    return lines
