"""A run that is handed out to a job elsewhere, for which nobody waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..application.open_run import stage_of
from ..domain.naming import check_run_name
from ..domain.recorded_values import typed_params
from ..domain.run_context import ContextMode, RunContext
from ..domain.run_identity import ad_hoc
from ..domain.stage import Stage

if TYPE_CHECKING:
    from ..application.run_handle import RunHandle
    from ..domain.study import Budget, Objective
    from .studbook import Studbook


def job_context(
    book: Studbook,
    name: str,
    *,
    stage: Stage | str = "final_training",
    parent: RunHandle | None = None,
    params: Mapping[str, object] | None = None,
    seed: int | None = None,
    budget: Budget | None = None,
    objectives: Sequence[Objective] = (),
    resume_from: str | Path | None = None,
    home: str | Path | None = None,
) -> str:
    """The text to give a job as STUDBOOK_RUN_CONTEXT: a new run, which the job itself begins and ends. Nothing is
    recorded here. The job's journal, output and result go below `home` as the job sees it, by default the book's.

    Raises NameInvalid, ParamInvalid.
    """
    checked, opening = check_run_name(name), book.container.opening()
    said = stage_of(stage)
    parent_key = parent.key if parent else None
    nonce = book.container.ids().nonce()
    identity = ad_hoc(opening.project.name, said, checked, parent_key, nonce)
    place = Path(home) if home is not None else book.home
    folder = place / "jobs" / nonce
    rules = book.container.child_rules()
    document = RunContext(
        schema_version=1,
        mode=ContextMode.OWN,
        run_key=identity.key,
        project=identity.project,
        stage=identity.stage,
        subject=identity.subject,
        attempt=identity.attempt,
        parent_run_key=parent_key,
        run_name=checked,
        experiment=parent.experiment if parent else opening.experiment_of(said),
        home=str(place),
        params=typed_params(params or {}),
        fold=None,
        seed=seed,
        budget=budget,
        objectives=tuple(objectives),
        output_dir=str(folder / "output"),
        resume_from=None if resume_from is None else str(resume_from),
        result_path=str(folder / "result.json"),
        control_path=str(folder / "control"),
        parent_writer=None,
        lease=rules.lease,
        target=rules.target,
    )
    return document.to_json().decode()
