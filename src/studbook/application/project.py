"""What every run of a book has in common: the project, its names and its vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..domain.naming import NamingTemplates, experiment_name
from ..domain.recorded_values import check_user_tags
from ..domain.stage import GROUP_OF, Stage
from ..domain.vocabulary import DEFAULT_VOCABULARY, Vocabulary


@dataclass(frozen=True, slots=True)
class Project:
    """One book's constants. `experiment`, when given, is the one experiment of all stages; `user_tags`, when given,
    are the only keys that users may set, with their stages. `elsewhere` are further experiments with runs of the
    project; `legacy` are experiments whose legacy runs are read, beside those that are found by their names.
    """

    name: str = "studbook"
    experiment: str | None = None
    environment: str = "local"
    created_by: str = ""
    version: str = "0"
    naming: NamingTemplates = field(default_factory=NamingTemplates)
    vocabulary: Vocabulary = DEFAULT_VOCABULARY
    user_tags: Mapping[str, frozenset[Stage]] | None = None
    elsewhere: tuple[str, ...] = ()
    legacy: tuple[str, ...] = ()

    def checked_tags(self, tags: Mapping[str, object], stage: Stage) -> dict[str, str]:
        """The user's own tags for a run of this stage. Raises ReservedTag, TagInvalid, UndeclaredTag."""
        return check_user_tags(tags, self.vocabulary, declared=self.user_tags, stage=stage)

    def experiment_of(self, stage: Stage, model_family: str | None = None) -> str:
        """The experiment that a root run of this stage belongs to."""
        if self.experiment is not None:
            return self.experiment
        return experiment_name(
            self.naming.experiment,
            project=self.name,
            group=GROUP_OF[stage],
            model=model_family,
            environment=self.environment,
        )

    def is_named_by_us(self, experiment: str) -> bool:
        """Whether the project's own template gives this name to a model family's search."""
        group = GROUP_OF[Stage.SWEEP]
        family = experiment.removeprefix(f"{self.name}-{group}-")
        return self.experiment is None and experiment == self.experiment_of(Stage.SWEEP, family)

    @property
    def experiment_prefix(self) -> str:
        """What the names of all experiments of the project begin with; empty when the template does not say."""
        return self.naming.experiment.replace("{project}", self.name).partition("{")[0]
