"""How a refit is trained: what two refits of one trial must share to be the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from .checked import Checked, invalid
from .errors import RefitError
from .keys import DataKey, EvalKey, ProtocolKey
from .study import Budget, SeedPolicy
from .validation import Holdout


class RefitProtocol(Checked):
    """`data` is what the refit trains on. Keeping the `best` checkpoint needs a validation to judge by."""

    data: DataKey
    eval: EvalKey
    validation: Holdout | None = None
    budget: Budget | None = None
    budget_rule: Literal["declared", "median_best_step"] = "declared"
    checkpoint: Literal["last", "best"] = "last"
    seed_policy: SeedPolicy = Field(default_factory=SeedPolicy)

    def model_post_init(self, _context: object, /) -> None:
        if self.checkpoint == "best" and self.validation is None:
            raise invalid(
                "the best checkpoint cannot be told without a validation",
                "keep the last one, or hold data back for validation",
            )

    def payload(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "data": self.data,
            "eval": self.eval,
            "validation": self.validation and self.validation.cut(),
            "budget": self.budget and self.budget.payload(),
            "budget_rule": self.budget_rule,
            "checkpoint": self.checkpoint,
            "seed_policy": self.seed_policy.payload(),
        }

    @property
    def key(self) -> ProtocolKey:
        """The protocol's identity."""
        return ProtocolKey.of(self.payload())


def median_best_step(best_steps: Iterable[int | None]) -> int:
    """The median of the folds' best steps, rounded up. Raises RefitError unless every fold has one."""
    steps = list(best_steps)
    known = sorted(step for step in steps if step is not None)
    if not known or len(known) < len(steps):
        raise RefitError(
            f"{len(known)} of {len(steps)} folds reported their best step",
            cure="report `best_step` from every fold, or use the declared budget",
        )
    middle = len(known) // 2
    if len(known) % 2:
        return known[middle]
    return -(-(known[middle - 1] + known[middle]) // 2)
