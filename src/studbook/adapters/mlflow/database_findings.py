"""What is asked of a tracking database of any kind, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterable

from ...ports.checkup import Finding, ok, problem, warning

WORKSPACES = "SELECT DISTINCT workspace FROM experiments WHERE workspace <> 'default'"
LOCATIONS = "SELECT artifact_location FROM experiments WHERE lifecycle_stage = 'active'"
RUNS = "SELECT count(*) FROM runs"

_MANY_RUNS = 1000
"""From so many runs on, questions need the table statistics to be quick."""


def workspaces_finding(names: Iterable[str]) -> Finding:
    """Whether MLflow opens a database whose experiments are in these workspaces, beside the default one."""
    found = ", ".join(sorted(names))
    if not found:
        return ok("the default one only")
    return problem(
        f"it holds experiments of the workspaces {found}, and MLflow opens such a database only with workspaces "
        "turned on, which studbook does not use",
        "name a database of its own, or a server that serves one workspace",
    )


def statistics_finding(runs: int, command: str, *, known: bool) -> Finding:
    """Whether the database's planner knows its tables; `command` has it look at them."""
    if known:
        return ok("there")
    if runs < _MANY_RUNS:
        return ok(f"not needed for so few runs ({runs})")
    return warning(
        f"{runs} runs, and no table statistics: questions that sort by a metric take minutes", command
    )
