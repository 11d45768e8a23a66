"""The beginning of every run: identity, name and place."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ..domain.keys import RunKey
from ..domain.run_events import Adoption, RunStarted
from ..domain.run_identity import RunIdentity
from ..domain.stage import Stage
from .project import Project


class RunOpening:
    """Makes RunStarted events for the runs of one project. The first one asks for the run to `adopt`, if any."""

    def __init__(self, project: Project, adopt: Adoption | None = None) -> None:
        self.project = project
        self._adoptions = deque([] if adopt is None else [adopt])

    def started(
        self,
        identity: RunIdentity,
        tokens: Mapping[str, object],
        *,
        experiment: str | None = None,
        parent: RunKey | None = None,
    ) -> RunStarted:
        """The event for a run that a use case opens: named by its stage's template.

        `experiment` is the parent's; a root run's own follows from its stage and model family.
        """
        project = self.project
        common = {
            "project": project.name,
            "environment": project.environment,
            "stage": str(identity.stage),
            "attempt": identity.attempt,
        }
        family = tokens.get("model")
        return self._event(
            identity,
            project.naming.run_name(identity.stage, {**common, **tokens}),
            experiment or project.experiment_of(identity.stage, None if family is None else str(family)),
            parent,
        )

    def named(
        self,
        identity: RunIdentity,
        name: str,
        experiment: str,
        parent: RunKey | None,
        adopt: Adoption | None = None,
    ) -> RunStarted:
        """The event for a run that the user named, and may take over."""
        return self._event(identity, name, experiment, parent, adopt)

    def experiment_of(self, stage: Stage, family: str | None = None) -> str:
        """The experiment of a root run."""
        return self.project.experiment_of(stage, family)

    def _event(
        self,
        identity: RunIdentity,
        name: str,
        experiment: str,
        parent: RunKey | None,
        adopt: Adoption | None = None,
    ) -> RunStarted:
        return RunStarted(
            project=self.project.name,
            stage=identity.stage,
            subject=identity.subject,
            attempt=identity.attempt,
            name=name,
            experiment=experiment,
            parent=parent,
            environment=self.project.environment,
            created_by=self.project.created_by,
            version=self.project.version,
            adopt=adopt or self._adoption(),
        )

    def _adoption(self) -> Adoption | None:
        try:
            return self._adoptions.pop()
        except IndexError:
            return None
