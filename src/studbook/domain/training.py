"""A final training: what is trained (spec), and with what (exec)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from .benchmark import DeviceKind
from .checked import Checked, invalid
from .errors import IdentityError
from .fields import (
    Flag,
    ModelFamily,
    OptionalDigest,
    OptionalFlag,
    OptionalInteger,
    PlainMapping,
    is_digest,
)
from .keys import DataKey, EvalKey, ExecKey, RunKey, SpecKey
from .study import Budget
from .validation import GivenValidation, Holdout

TrainingValidation = Annotated[GivenValidation | Holdout, Field(discriminator="kind")]


class Init(Checked):
    """What the weights begin with: nothing, a run's model (by its key) or external files (by digest)."""

    kind: Literal["scratch", "refit", "final_training", "external"] = "scratch"
    source: str | None = Field(None, alias="from")

    model_config = ConfigDict(populate_by_name=True)

    def model_post_init(self, _context: object, /) -> None:
        source = self.source
        fits = {
            "scratch": source is None,
            "external": source is not None and is_digest(source),
        }.get(self.kind, _is_run_key(source))
        if not fits:
            raise invalid(
                f"init {self.kind} from {str(source)[:80]!r}",
                "refit and final_training take a run key, external a content digest, scratch nothing",
            )

    def payload(self) -> dict[str, Any]:
        """What the key takes of it."""
        return {"kind": self.kind, "from": self.source}


def _is_run_key(text: str | None) -> bool:
    try:
        return text is not None and bool(RunKey(text))
    except IdentityError:
        return False


class TrainingSpec(Checked):
    """What is trained: the same spec under the same exec is the same model, but for chance."""

    model_family: ModelFamily
    params: PlainMapping = Field(default_factory=dict)
    data: DataKey
    eval: EvalKey
    validation: TrainingValidation | None = None
    budget: Budget | None = None
    seed: OptionalInteger = None
    init: Init = Field(default_factory=Init)

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "model_family": self.model_family,
            "params": self.params,
            "data": self.data,
            "eval": self.eval,
            "validation": self.validation and self.validation.payload(),
            "budget": self.budget and self.budget.payload(),
            "seed": self.seed,
            "init": self.init.payload(),
        }

    @property
    def key(self) -> SpecKey:
        """The training's identity."""
        return SpecKey.of(self.payload())


class CodeState(Checked):
    """The code that trains: its revision; when changed since (`dirty`), the content digest of the diff."""

    revision: str = Field(min_length=1)
    dirty: Flag = False
    diff: OptionalDigest = None

    def model_post_init(self, _context: object, /) -> None:
        if self.dirty != (self.diff is not None):
            raise invalid(
                "changed code is known by the digest of its diff, clean code has none",
                "pass `diff` with `dirty`, or neither",
            )

    def payload(self) -> dict[str, Any]:
        """What the key takes of it."""
        return {"revision": self.revision, "dirty": self.dirty, "diff": self.diff}


class ExecSpec(Checked):
    """What it is trained with: code, Python (`3.11`), digest of the locked packages, precision, device."""

    code: CodeState | None = None
    python: str = Field(pattern=r"^\d+\.\d+$")
    packages: OptionalDigest = None
    precision: str | None = None
    deterministic: OptionalFlag = None
    device: DeviceKind

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "code": self.code and self.code.payload(),
            "python": self.python,
            "packages": self.packages,
            "precision": self.precision,
            "deterministic": self.deterministic,
            "device": self.device,
        }

    @property
    def key(self) -> ExecKey:
        """The execution's identity."""
        return ExecKey.of(self.payload())
