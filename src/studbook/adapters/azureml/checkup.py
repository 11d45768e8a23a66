"""What can be wrong between here and an Azure ML workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property

from ...domain.errors import TrackingDenied, TrackingError, TrackingUnavailable
from ...domain.stored_run import Lifecycle
from ...ports.checkup import Check, Finding, ok, problem, warning
from ..mlflow.clock_skew import clock_finding, utc_now
from ..mlflow.entities import view_code
from ..mlflow.errors import NO_MLFLOW
from ..mlflow.patience import ONCE
from ..mlflow.rest_calls import RestCalls
from ..mlflow.rest_store import RestStore
from .clouds import CLOUDS
from .credentials import token_errors
from .tracking_store import AZURE_LIMITS
from .workspace import Workspace

_TOKEN_S = 20.0
_SILENCE_S = 20.0
_TIMEOUT_S = 60.0
_EXPERIMENTS = 20
"""In which a page of runs is searched."""
_ACTIVE = frozenset({Lifecycle.ACTIVE})
_FORBIDDEN = 403


class WorkspaceCheckup:
    """Asks for a token, for the workspace's document, and for what is in it. `now` is this machine's clock, UTC."""

    def __init__(self, workspace: Workspace, *, now: Callable[[], datetime] = utc_now) -> None:
        self._workspace = workspace
        self._now = now

    def checks(self) -> tuple[Check, ...]:
        """From who we are to what the workspace holds."""
        there = ("credentials", "workspace")
        return (
            Check("credentials", self._credentials, timeout_s=_TOKEN_S),
            Check("workspace", self._document, ("credentials",), _TIMEOUT_S),
            Check("reachability", self._reachability, there, _TIMEOUT_S),
            Check("search", self._search, (*there, "reachability"), _TIMEOUT_S),
            Check("clock", self._clock, (*there, "reachability"), _TIMEOUT_S),
        )

    def _credentials(self) -> Finding:
        began = time.monotonic()
        with token_errors():
            self._workspace.tokens.get_token(CLOUDS[self._workspace.cloud].scope)
        took_s = time.monotonic() - began
        return ok(
            f"there is a token, by tracking.azure.credential {self._workspace.credential}, in {took_s:.1f} s"
        )

    def _document(self) -> Finding:
        workspace = self._workspace
        if workspace.credential == "job":
            return ok("not asked for: a job's own token is good inside the workspace only")
        try:
            there = workspace.location.document_host(timeout_s=_SILENCE_S)
        except (TrackingDenied, TrackingUnavailable) as error:
            if not workspace.location.known or not _is_dispensable(error):
                raise
            return warning(
                f"its document cannot be read: {error.problem}",
                "nothing for now, as the tracking URI names its host; to name it by tracking.azure.* takes the role "
                "'Reader'",
            )
        if workspace.host.lower() != there.lower():
            return problem(
                f"{workspace.name} is at {there}, and the tracking URI names {workspace.host}",
                "take the URI from `az ml workspace show --query mlflow_tracking_uri`, or set tracking.azure.*",
            )
        return ok(f"{workspace.name} is at {there}")

    def _reachability(self) -> Finding:
        return ok(f"the workspace lets us in, and answers: {len(self._experiments)} experiments seen")

    def _search(self) -> Finding:
        if not self._experiments:
            return ok("there are no experiments yet to search in")
        page = AZURE_LIMITS.search_page
        order = ["attributes.start_time DESC"]
        found = RestStore(self._calls).search_runs(
            self._experiments, "", view_code(_ACTIVE), page, order, None
        )
        return ok(f"a page of {page} runs is given at once: it held {len(found)}")

    def _clock(self) -> Finding:
        if not self._experiments:
            return ok("there is nothing yet to ask the workspace's time with")
        page = self._calls.page(f"/api/2.0/mlflow/experiments/get?experiment_id={self._experiments[0]}")
        if page.date is None:
            return ok("the workspace does not tell its time")
        return clock_finding(self._now(), page.date)

    @cached_property
    def _calls(self) -> RestCalls:
        return self._workspace.calls(timeout_s=_SILENCE_S, patience=ONCE)

    @cached_property
    def _experiments(self) -> list[str]:
        """The ids of some."""
        found = RestStore(self._calls).search_experiments(view_code(_ACTIVE), _EXPERIMENTS, None, [], None)
        return [str(each.experiment_id) for each in found]


def _is_dispensable(error: TrackingError) -> bool:
    """Whether a workspace whose host is known can be used all the same: nobody says that it is not there."""
    if isinstance(error, TrackingDenied):
        return error.details.get("status") == _FORBIDDEN
    return error.details.get("code") != NO_MLFLOW
