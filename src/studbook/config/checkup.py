"""What `studbook doctor` is made of: the checks of every part that a book needs, in the order of their cures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..application.diagnosis import Diagnose
from ..application.home_checkup import HomeStatusCheckup
from ..application.store_checkup import StoreCheckup
from ..ports.checkup import Check, Checkup, Finding, ok
from .tracking_target import TrackingTarget

if TYPE_CHECKING:
    from ..adapters.azureml.workspace import Workspace
    from ..application.home_status import HomeStatus
    from .container import Container
    from .settings import LoadedSettings


class TargetCheckup:
    """Which backend it is, and who decided so."""

    def __init__(self, target: TrackingTarget) -> None:
        self._target = target

    def checks(self) -> tuple[Check, ...]:
        """The target."""
        return (Check("target", self._told),)

    def _told(self) -> Finding:
        target = self._target
        return ok(f"{target.display} ({target.kind}), from {target.origin}")


def installation_checkup() -> Checkup:
    from ..adapters.system.installation import InstallationCheckup

    return InstallationCheckup()


def home_checkup(loaded: LoadedSettings) -> Checkup:
    from ..adapters.home.checkup import HomeCheckup

    return HomeCheckup(loaded.home)


def memory_checkup() -> Checkup:
    from ..adapters.memory.checkup import MemoryCheckup

    return MemoryCheckup()


def mlflow_checkup(target: TrackingTarget) -> Checkup:
    from ..adapters.mlflow.checkup import mlflow_checkup

    return mlflow_checkup(target.uri, target.artifact_root)


def azure_checkup(workspace: Workspace) -> Checkup:
    from ..adapters.azureml.checkup import WorkspaceCheckup

    return WorkspaceCheckup(workspace)


def diagnose(container: Container, *, write: bool) -> Diagnose:
    """The use case for the container's book; with `write`, a probe run is made in the backend."""
    stores = StoreCheckup(
        container.tracking_store,
        container.artifact_store,
        container.clock(),
        container.ids(),
        run_key_tag=container.vocabulary().key("run.key"),
        write=write,
    )

    def status() -> HomeStatus:
        return container.status()()

    return Diagnose(
        (
            ("versions", installation_checkup),
            ("target", lambda: TargetCheckup(container.target())),
            ("home", lambda: home_checkup(container.loaded())),
            ("delivery", lambda: HomeStatusCheckup(status)),
            ("backend", container.backend_checkup),
            ("limits", lambda: stores),
        )
    )
