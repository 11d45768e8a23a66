"""Questions about delivered runs: flushes first, reads completely, parses by the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..domain.errors import RunNotFound
from ..domain.keys import RunKey
from ..domain.run import RunStatus
from ..domain.run_reader import read_run
from ..domain.run_view import RunView
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle, StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.tracking_store import TrackingStore
from .project import Project
from .relay import Relay
from .spill import join

_BOTH = frozenset(Lifecycle)


class RunCatalog:
    """Finds runs of the project, whatever the backend."""

    def __init__(
        self, store: TrackingStore, artifacts: ArtifactStore, relay: Relay, project: Project
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._relay = relay
        self._project = project

    def experiments(self) -> tuple[str, ...]:
        """The experiments of the store that may hold the project's runs."""
        if self._project.experiment is not None:
            return (self._project.experiment,)
        return tuple(name for name in self._store.experiments() if name.startswith(f"{self._project.name}-"))

    def find(
        self,
        stages: Iterable[Stage],
        *,
        statuses: frozenset[RunStatus] = ANY_STATUS,
        lifecycles: frozenset[Lifecycle] = _BOTH,
        experiments: tuple[str, ...] | None = None,
        flush: bool = True,
        **tags: str,
    ) -> tuple[RunView, ...]:
        """All runs of these stages with these tag values, oldest first.

        Tags are named as in the vocabulary, with `_` for the dot: `study_key="sk3:…"`. `experiments` defaults to
        those of the project.
        """
        if flush:
            self._relay.drain()
        wanted = tuple(stages)
        vocabulary = self._project.vocabulary
        query = RunQuery(
            experiments=self.experiments() if experiments is None else experiments,
            statuses=statuses,
            tags={vocabulary.key(name.replace("_", ".", 1)): text for name, text in tags.items()},
            tag_in={vocabulary.key("run.stage"): frozenset(str(stage) for stage in wanted)},
            lifecycles=lifecycles,
        )
        return tuple(self.views(query))

    def find_all(self) -> tuple[RunView, ...]:
        """All active runs of the project, oldest first; flushes first."""
        return self.find(tuple(Stage), lifecycles=frozenset({Lifecycle.ACTIVE}))

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that the project's tags are written in."""
        return self._project.vocabulary

    def views(self, query: RunQuery) -> Iterator[RunView]:
        """The answers to any query, parsed, in its order. Does not flush."""
        for run in self._store.find(query):
            yield self.view(run)

    def view(self, run: StoredRun) -> RunView:
        """One stored run, parsed, its long values joined."""
        return read_run(join(run, self._artifacts), self._project.vocabulary)

    def runs(self, query: RunQuery) -> Iterator[StoredRun]:
        """Stored runs as they are, long values joined; flushes first."""
        self._relay.drain()
        for run in self._store.find(query):
            yield join(run, self._artifacts)

    def by_ref(self, ref: str) -> RunView:
        """The run with this run key, `run:<backend id>` or bare backend id. Raises RunNotFound."""
        run_id = ref.removeprefix("run:")
        if ref.startswith(f"{RunKey.KIND}:"):
            run_id = self._relay.run_id(RunKey(ref)) or self._search(RunKey(ref))
        return self.view(self._store.get_run(run_id))

    def resolve(self, text: str) -> RunView:
        """Like `by_ref`, and also by bare hex or a unique prefix (12 digits or more) of a run key."""
        self._relay.drain()
        digits = text.removeprefix(f"{RunKey.KIND}:")
        if len(digits) == 64 or text.startswith("run:") or not _is_hex(digits) or len(digits) == 32:
            return self.by_ref(f"{RunKey.KIND}:{digits}" if len(digits) == 64 else text)
        if len(digits) < 12:
            raise RunNotFound(
                f"{text!r} is too short to name a run",
                cure="give 12 hexadecimal digits of its run key or more; `studbook runs` lists them",
            )
        found = [
            view for view in self.find(tuple(Stage), flush=False) if view.ref.startswith(f"rk3:{digits}")
        ]
        if len(found) != 1:
            raise RunNotFound(
                f"{len(found)} runs have a key that begins with {digits}",
                cure="give more digits: " + ", ".join(view.ref for view in found[:5])
                if found
                else "`studbook runs` lists the keys",
            )
        return found[0]

    def run_id(self, run_key: RunKey, timeout_s: float | None = None) -> str:
        """The backend id of a run, delivering first."""
        self._relay.drain(timeout_s)
        return self._relay.run_id(run_key) or self._search(run_key)

    def is_ours(self, view: RunView) -> bool:
        """Whether this home delivered the run's beginning."""
        return view.ref.startswith("rk3:") and self._relay.run_id(RunKey(view.ref)) == view.run_id

    def url(self, view: RunView) -> str | None:
        """A page that shows the run, where there is one."""
        return self._store.run_url(self._store.get_run(view.run_id))

    def _search(self, run_key: RunKey) -> str:
        query = RunQuery(
            experiments=self.experiments(),
            statuses=ANY_STATUS,
            tags={self._project.vocabulary.key("run.key"): run_key},
            lifecycles=_BOTH,
        )
        for run in self._store.find(query):
            return run.run_id
        raise RunNotFound(
            f"no run has the key {run_key}",
            cure="check the key, the tracking URI and the project; `studbook runs` lists what is there",
            run=str(run_key),
        )


def _is_hex(text: str) -> bool:
    return bool(text) and all(character in "0123456789abcdef" for character in text)
