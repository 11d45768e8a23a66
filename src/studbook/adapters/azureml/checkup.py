"""What can be wrong between here and an Azure ML workspace."""

from __future__ import annotations

from ...domain.stored_run import Lifecycle
from ...ports.checkup import Check, Finding, ok
from ..mlflow.entities import view_code
from ..mlflow.patience import ONCE
from .workspace import Workspace

_SILENCE_S = 20.0
_TIMEOUT_S = 120.0


class WorkspaceCheckup:
    """Asks for a token, and the workspace one question."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def checks(self) -> tuple[Check, ...]:
        """Whether the workspace takes who we are, and answers."""
        return (Check("reachability", self._answer, timeout_s=_TIMEOUT_S),)

    def _answer(self) -> Finding:
        store = self._workspace.open(timeout_s=_SILENCE_S, patience=ONCE)
        store.search_experiments(view_code(frozenset({Lifecycle.ACTIVE})), 1, None, [], None)
        return ok(f"the workspace {self._workspace.name} takes the credential, and answers")
