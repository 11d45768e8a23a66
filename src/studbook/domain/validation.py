"""How a study holds data back to score its trials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from .checked import Checked, invalid
from .errors import StudyInvalid
from .fields import Digest, Flag, Integer, Number, OptionalDigest, OptionalInteger


class NoValidation(Checked):
    """The training function evaluates in its own way."""

    ERROR = StudyInvalid

    kind: Literal["none"] = "none"

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"kind": "none"}


class GivenValidation(Checked):
    """Validation data of its own, by its content digest if that is known."""

    ERROR = StudyInvalid

    kind: Literal["given"] = "given"
    digest: OptionalDigest = None

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"kind": "given", "digest": self.digest}


class Holdout(Checked):
    """A fraction of the data, between 0 and 1, held back once."""

    ERROR = StudyInvalid

    kind: Literal["holdout"] = "holdout"
    fraction: Number = Field(gt=0, lt=1)
    stratify: Flag = False
    seed: Integer = 0

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"kind": "holdout", **self.cut()}

    def cut(self) -> dict[str, Any]:
        """The cut itself, without its kind: what a refit protocol takes of it."""
        return {"fraction": self.fraction, "stratify": self.stratify, "seed": self.seed}


class KFold(Checked):
    """Cross-validation over `count` folds, `repeats` times. Without shuffling there is no seed."""

    ERROR = StudyInvalid

    kind: Literal["kfold"] = "kfold"
    count: Integer = Field(ge=2)
    repeats: Integer = Field(1, ge=1)
    shuffle: Flag = True
    stratify: Flag = False
    seed: OptionalInteger = Field(0, validate_default=True)

    @field_validator("seed")
    @classmethod
    def _only_to_shuffle(cls, seed: int | None, info: ValidationInfo) -> int | None:
        if not info.data.get("shuffle", True):
            return None
        if seed is None:
            raise invalid("shuffling needs a seed", "give a seed, or set `shuffle` to false")
        return seed

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {
            "kind": "kfold",
            "count": self.count,
            "repeats": self.repeats,
            "shuffle": self.shuffle,
            "stratify": self.stratify,
            "seed": self.seed,
        }


class ExplicitFolds(Checked):
    """Folds made elsewhere, by their digests, in order."""

    ERROR = StudyInvalid

    kind: Literal["explicit"] = "explicit"
    digests: tuple[Digest, ...] = Field(min_length=1)

    @field_validator("digests")
    @classmethod
    def _distinct(cls, digests: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(digests)) != len(digests):
            raise invalid("two folds are the same split", "give each fold its own split")
        return digests

    def payload(self) -> dict[str, Any]:
        """What keys take of it."""
        return {"kind": "explicit", "digests": list(self.digests)}


Validation = Annotated[
    NoValidation | GivenValidation | Holdout | KFold | ExplicitFolds, Field(discriminator="kind")
]
