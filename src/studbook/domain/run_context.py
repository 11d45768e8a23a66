"""What a child process is handed: one document that says which run it works for, and how."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from .errors import InvalidInput, RunContextInvalid
from .event_values import Params
from .fields import OptionalDigest
from .keys import RunKey
from .run_identity import RunIdentity
from .stage import Stage
from .study import Budget, Objective
from .value import Value

RUN_CONTEXT_VARIABLE = "STUDBOOK_RUN_CONTEXT"
"""The one variable that a child is given: the document, or the path of a file that holds it."""

RUN_CONTEXT_SCHEMA = 1
LONGEST_INLINE = 16 * 1024
"""Bytes of a document that still go into the variable itself."""


class ContextMode(StrEnum):
    """`attach`: on the same machine, the parent waits and ends the run. `own`: elsewhere, nobody waits."""

    ATTACH = "attach"
    OWN = "own"


class StopWord(StrEnum):
    """What a parent tells a child by the control file."""

    PRUNE = "prune"
    STOP = "stop"


class ContextFold(Value):
    """The split to train on. Without a digest the split is not known beforehand, and there are no indices."""

    index: int = Field(ge=0)
    count: int = Field(ge=1)
    digest: OptionalDigest
    indices_path: str | None

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if (self.digest is None) != (self.indices_path is None):
            raise ValueError("digest and indices_path go together")
        return self


class ContextLease(Value):
    """How often a writer shows that it lives, and after how long it counts as dead, in seconds."""

    interval_s: float = Field(ge=0)
    ttl_s: float = Field(ge=0)


class ContextTarget(Value):
    """Where events are to be delivered, without secrets, and which source of settings decided that."""

    uri: str = Field(min_length=1)
    decided_by: str = Field(min_length=1)


class RunContext(Value):
    """The document. All fields are always present; those that say nothing are null.

    Paths are as the parent wrote them; relative ones start from the child's working directory.
    """

    schema_version: Literal[1]
    mode: ContextMode
    run_key: RunKey
    project: str
    stage: Stage
    subject: Params
    attempt: int = Field(ge=1)
    parent_run_key: RunKey | None
    run_name: str = Field(min_length=1)
    experiment: str = Field(min_length=1)
    home: str = Field(min_length=1)
    params: Params
    fold: ContextFold | None
    seed: int | None
    budget: Budget | None
    objectives: tuple[Objective, ...]
    output_dir: str = Field(min_length=1)
    resume_from: str | None
    result_path: str = Field(min_length=1)
    control_path: str | None
    parent_writer: str | None
    lease: ContextLease
    target: ContextTarget | None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        identity = RunIdentity(
            project=self.project, stage=self.stage, subject=self.subject, attempt=self.attempt
        )
        if identity.key != self.run_key:
            raise ValueError("run_key is not the key of project, stage, subject and attempt")
        watched = (self.control_path, self.parent_writer, self.target)
        if self.mode is ContextMode.ATTACH and None in watched:
            raise ValueError("attach needs control_path, parent_writer and target")
        return self

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """The document of its JSON text. Raises RunContextInvalid, without the text's values."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise _invalid(error) from None
        except InvalidInput as error:
            raise RunContextInvalid(f"the run context is not usable: {error.problem}", cure=_CURE) from error

    def to_json(self) -> bytes:
        """Its JSON text: members in order, no white space, whole and broken numbers kept apart."""
        document = self.model_dump(mode="json")
        return json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()


_CURE = "hand it over as the parent made it, and install one version of studbook in parent and child"


def _invalid(error: ValidationError) -> RunContextInvalid:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "document"
    message = first["msg"]
    if place == "schema_version":
        message += f" (this version of studbook knows schema version {RUN_CONTEXT_SCHEMA})"
    return RunContextInvalid(f"the run context is not usable: {place}: {message}", cure=_CURE, path=place)
