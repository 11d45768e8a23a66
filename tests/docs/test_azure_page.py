"""What the page on Azure ML says of sweep jobs is what the program does."""

from __future__ import annotations

import re

from docs.pages import DOCS
from studbook.application.selection_inputs import changed_for_sweeps
from studbook.domain.selection.config import SelectionConfig
from studbook.domain.selection.warning import WarningCode

_TEXT = (DOCS / "azure.md").read_text(encoding="utf-8")
_SWEEPS = _TEXT.partition("## Sweep jobs")[2].partition("\n## ")[0]


def test_the_warnings_of_sweep_jobs_are_told() -> None:
    assert {"FAMILY_CONFLICT", "SERVICE_BEST_DIFFERS"} <= set(re.findall(r"`([A-Z_]+)`", _SWEEPS))
    assert set(re.findall(r"`([A-Z_]+)`", _SWEEPS)) <= set(WarningCode)


def test_the_other_defaults_are_those_in_force() -> None:
    config = changed_for_sweeps(SelectionConfig(), {})
    assert (
        f"`champions.min_trials: {config.champions.min_trials}`, `top_k: {config.champions.top_k}`" in _SWEEPS
    )
    assert f"`refit.requirement: {config.refit.requirement}`" in _SWEEPS
    assert f"the policy is `{config.policy}`" in _SWEEPS
