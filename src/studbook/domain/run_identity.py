"""What makes a run the same run: project, stage, subject and attempt."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field, JsonValue, field_validator

from .canonical import canonical
from .checked import Checked, invalid
from .fields import Integer, PlainMapping
from .keys import (
    BenchmarkKey,
    ConversionKey,
    ExecKey,
    FoldKey,
    ProtocolKey,
    RunKey,
    SpecKey,
    StudyKey,
    TrialKey,
)
from .stage import Stage

DEFAULT_PROJECT = "studbook"
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


class RunIdentity(Checked):
    """One run. A repeat of the same subject is the next attempt, from 1: another run of the same thing."""

    project: str = DEFAULT_PROJECT
    stage: Stage
    subject: PlainMapping
    attempt: Integer = Field(1, ge=1)

    @field_validator("project")
    @classmethod
    def _portable(cls, project: str) -> str:
        if not _PROJECT.fullmatch(project):
            raise invalid(
                f"{project[:80]!r} is no project name",
                "begin with a letter or digit, go on with letters, digits, _ and - (at most 64)",
            )
        return project

    @property
    def key(self) -> RunKey:
        """The run's identity."""
        return RunKey.of(
            {
                "project": self.project,
                "stage": self.stage,
                "subject": self.subject,
                "attempt": self.attempt,
            }
        )

    @property
    def subject_bytes(self) -> bytes:
        """The subject's canonical form: what attempts are counted and claimed by."""
        return canonical(self.subject)

    def next_attempt(self, attempt: int) -> RunIdentity:
        """The same subject's run with another attempt."""
        return _run(self.project, self.stage, self.subject, attempt)


def of_sweep(project: str, study: StudyKey, attempt: int) -> RunIdentity:
    """A session of a study; the attempt is the session's number."""
    return _run(project, Stage.SWEEP, {"study": study}, attempt)


def of_trial(project: str, trial: TrialKey, attempt: int) -> RunIdentity:
    """A trial."""
    return _run(project, Stage.TRIAL, {"trial": trial}, attempt)


def of_fold(project: str, fold: FoldKey, attempt: int) -> RunIdentity:
    """A fold; its attempt is that of its trial."""
    return _run(project, Stage.FOLD, {"fold": fold}, attempt)


def of_refit(project: str, trial: TrialKey, protocol: ProtocolKey, attempt: int) -> RunIdentity:
    """A refit of a trial."""
    return _run(project, Stage.REFIT, {"trial": trial, "protocol": protocol}, attempt)


def of_benchmark(project: str, benchmark: BenchmarkKey, attempt: int) -> RunIdentity:
    """A benchmark."""
    return _run(project, Stage.BENCHMARK, {"benchmark": benchmark}, attempt)


def of_selection(project: str, selection: str, attempt: int) -> RunIdentity:
    """A decision, by its selection key."""
    return _run(project, Stage.SELECTION, {"selection": selection}, attempt)


def of_pointer(project: str, pointer: str, generation: int, nonce: str, attempt: int = 1) -> RunIdentity:
    """A generation of a champion pointer; the nonce keeps two promoters' runs apart."""
    return _run(
        project, Stage.SELECTION, {"pointer": pointer, "generation": generation, "nonce": nonce}, attempt
    )


def of_final_training(
    project: str, spec: SpecKey, exec_key: ExecKey, variant: int, attempt: int
) -> RunIdentity:
    """A variant of a final training."""
    return _run(project, Stage.FINAL_TRAINING, {"spec": spec, "exec": exec_key, "variant": variant}, attempt)


def of_conversion(project: str, conversion: ConversionKey, attempt: int) -> RunIdentity:
    """A conversion."""
    return _run(project, Stage.CONVERSION, {"conversion": conversion}, attempt)


def ad_hoc(project: str, stage: Stage, name: str, parent: RunKey | None, nonce: str) -> RunIdentity:
    """A run that a user opens by name: by its nonce always a new one."""
    return _run(project, stage, {"run": name, "parent": parent, "nonce": nonce}, 1)


def _run(project: str, stage: Stage, subject: Mapping[str, JsonValue], attempt: int) -> RunIdentity:
    return RunIdentity(project=project, stage=stage, subject=dict(subject), attempt=attempt)
