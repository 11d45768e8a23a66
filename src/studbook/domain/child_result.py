"""What a child process leaves for its parent: the outcome of its run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ValidationError

from .errors import ChildResultMissing
from .event_values import Metrics
from .fields import OptionalDigest
from .keys import RunKey
from .value import Value


class ChildResult(Value):
    """The result file. `files` are the sizes, in bytes, of what lies below the output folder, by path.

    `best_step` is the step of the training's best value; `fold_digest` proves which split was used.
    """

    schema_version: Literal[1]
    run_key: RunKey
    outcome: Literal["completed", "pruned"]
    metrics: Metrics
    best_step: int | None
    fold_digest: OptionalDigest
    files: dict[str, int]

    @classmethod
    def parse(cls, raw: bytes, run_key: RunKey) -> Self:
        """The result of this run. Raises ChildResultMissing for what is none, or another run's."""
        try:
            result = cls.model_validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(step) for step in first["loc"]) or "document"
            raise ChildResultMissing(
                f"the result file is not valid: {place}: {first['msg']}", cure=_CURE
            ) from None
        if result.run_key != run_key:
            raise ChildResultMissing("the result file is that of another run", cure=_CURE)
        return result

    def to_json(self) -> bytes:
        """Its JSON text; NaN and infinity are text in it."""
        return self.model_dump_json().encode()


_CURE = "leave the writing of the result to context.finish(...), once"
