"""The way into a child process's part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..config.child import child_context

if TYPE_CHECKING:
    from ..application.child_context import ChildContext


def child(*, rank: int | None = None) -> ChildContext:
    """The part of this process in its parent's run, to be entered by `with`. `rank` says which process of a
    distributed training this is, where the environment does not.

    Raises RunContextInvalid when no usable context was handed over, ConfigError.
    """
    return child_context(os.environ, rank)
