"""Questions about delivered runs: flushes first, reads completely, parses by the vocabulary."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from heapq import merge

from ..domain.errors import ExperimentNotFound, RunNotFound, TrackingRefused
from ..domain.key_reference import FEWEST_DIGITS
from ..domain.keys import RunKey
from ..domain.legacy_join import join_legacy
from ..domain.run import RunStatus
from ..domain.run_events import Adoption
from ..domain.run_fields import RunFields
from ..domain.run_reader import read_run
from ..domain.run_view import RunView
from ..domain.selection.scope import legacy_experiments
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle, StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.artifact_store import ArtifactStore
from ..ports.capabilities import Capabilities
from ..ports.log import get_logger
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.tracking_store import TrackingStore
from .delivery import Delivery
from .metric_room import MORE_METRICS
from .more_texts import MORE_PARAMS
from .project import Project
from .storable import as_recorded

_log = get_logger(__name__)

_BOTH = frozenset(Lifecycle)
_KEY_DIGITS = 64
_BACKEND_DIGITS = 32


class RunCatalog:
    """Finds runs of the project, whatever the backend; also where the run stands that this process may `adopt`."""

    def __init__(
        self,
        store: TrackingStore,
        artifacts: ArtifactStore,
        delivery: Delivery,
        project: Project,
        adopt: Adoption | None = None,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._delivery = delivery
        self._project = project
        self._adopt = adopt
        self._elsewhere: tuple[str, ...] | None = None

    def experiments(self) -> tuple[str, ...]:
        """The experiments of the store that may hold the project's runs."""
        project = self._project
        if project.experiment is not None:
            return tuple(dict.fromkeys((project.experiment, *project.elsewhere, *self._of_the_adopted())))
        prefix, elsewhere = project.experiment_prefix, {*project.elsewhere, *self._of_the_adopted()}
        return tuple(
            name for name in self._store.experiments() if name.startswith(prefix) or name in elsewhere
        )

    def _of_the_adopted(self) -> tuple[str, ...]:
        """The experiment that the run to adopt, and with it what is below it, may be in; none when there is no such
        run here.
        """
        if self._elsewhere is None:
            found = []
            if self._adopt is not None:
                with contextlib.suppress(RunNotFound, TrackingRefused):
                    found.append(self._store.get_run(self._adopt.run_id).experiment)
            self._elsewhere = tuple(found)
        return self._elsewhere

    def check_experiments(self, names: Collection[str]) -> None:
        """Raises ExperimentNotFound for a name that no active experiment has."""
        there = self._store.experiments()
        for name in names:
            if name not in there:
                near = get_close_matches(name, there, n=1)
                raise ExperimentNotFound(
                    f"there is no experiment {name!r:.200}",
                    cure=f"did you mean {near[0]!r}?"
                    if near
                    else "check the name and the tracking URI; it may be in the bin",
                    experiment=name,
                )

    def find(
        self,
        stages: Iterable[Stage],
        *,
        statuses: frozenset[RunStatus] = ANY_STATUS,
        lifecycles: frozenset[Lifecycle] = _BOTH,
        experiments: tuple[str, ...] | None = None,
        flush: bool = True,
        fresh: bool = True,
        fields: RunFields | None = None,
        **tags: str,
    ) -> tuple[RunView, ...]:
        """All runs of the project of these stages with these tag values, oldest first.

        Tags are named as in the vocabulary, with `_` for the dot: `study_key="sk3:…"`. `experiments` defaults to
        those of the project. `fields` are what the views need; without, they are whole. `fresh`: see RunQuery.
        """
        if flush:
            self._delivery.catch_up()
        held = self.experiments() if experiments is None else experiments
        wanted = {name.replace("_", ".", 1): text for name, text in tags.items()}
        query = RunQuery(held, statuses, lifecycles=lifecycles, fresh=fresh)
        if fields is not None:
            names = fields.tags | {MORE_METRICS, MORE_PARAMS}
            query = replace(query, tag_fields=self._keys(names), param_fields=fields.params)
        params = None if fields is None else fields.params
        return tuple(self.view(run, params) for run in self.stream(query, stages, wanted))

    def stream(
        self, query: RunQuery, stages: Iterable[Stage], wanted: Mapping[str, str]
    ) -> Iterator[StoredRun]:
        """The runs of the project that answer the query, have one of these stages, and these tags by the names
        of the vocabulary; in the query's order, read while they are iterated. Does not flush.
        """
        vocabulary = self._project.vocabulary
        named = {**wanted, "run.project": self._project.name}
        known_stages = frozenset(str(stage) for stage in stages)
        # A name that is read under several keys cannot be asked for: it is looked at below.
        several = {name: text for name, text in named.items() if len(vocabulary.read_keys(name)) > 1}
        tags = {vocabulary.key(name): text for name, text in named.items() if name not in several}
        tag_fields = None if query.tag_fields is None else query.tag_fields | self._keys(several)
        answers = [
            self._store.find(
                replace(
                    query,
                    tags={**query.tags, **tags},
                    tag_in={**query.tag_in, stage_key: known_stages},
                    tag_fields=tag_fields,
                )
            )
            for stage_key in vocabulary.read_keys("run.stage")
        ]
        last = None
        for run in merge(*answers, key=query.sort_key):
            if run.run_id != last and self._has(run, several):
                yield run
            last = run.run_id

    def find_all(self) -> tuple[RunView, ...]:
        """All active runs of the project, oldest first; flushes first."""
        return self.find(tuple(Stage), lifecycles=frozenset({Lifecycle.ACTIVE}))

    def legacy(self, experiments: Collection[str] = ()) -> tuple[RunView, ...]:
        """The project's runs of an older tool, oldest first, each with what the runs around it tell of it.

        Of `experiments` only, where any are named. Does not flush.
        """
        project = self._project
        named, ambiguous = legacy_experiments(
            project.name, self._store.experiments(), (*project.legacy, *experiments)
        )
        for warning in ambiguous:
            _log.warning(str(warning.code), experiments=warning.refs, cure=warning.detail)
        held = {name for name in named if not project.is_named_by_us(name)} | set(project.legacy)
        read = tuple(sorted(held & set(experiments) if experiments else held))
        if not read:
            return ()
        runs = self._store.find(RunQuery(read, ANY_STATUS, lifecycles=_BOTH, fresh=True))
        return tuple(
            join_legacy(
                self.view(run) for run in runs if project.vocabulary.find("run.schema", run.tags) is None
            )
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that the project's tags are written in."""
        return self._project.vocabulary

    def views(self, query: RunQuery) -> Iterator[RunView]:
        """The answers to any query, parsed, in its order. Does not flush."""
        for run in self._store.find(query):
            yield self.view(run)

    def view(self, run: StoredRun, params: frozenset[str] | None = None) -> RunView:
        """One stored run, parsed, its long values joined; with `params`, what `read_run` keeps then, and no page."""
        view = read_run(self._whole(run), self._project.vocabulary, params=params)
        url = self._store.run_url(run) if params is None else None
        return view if url is None else replace(view, url=url)

    def runs(self, query: RunQuery) -> Iterator[StoredRun]:
        """Stored runs as they are, long values joined; flushes first."""
        self._delivery.catch_up()
        for run in self._store.find(query):
            yield self._whole(run)

    def by_ref(self, ref: str) -> RunView:
        """The run with this run key, `run:<backend id>` or bare backend id. Raises RunNotFound."""
        run_id = ref.removeprefix("run:")
        if ref.startswith(f"{RunKey.KIND}:"):
            run_id = self._delivery.run_id(RunKey(ref)) or self._search(RunKey(ref))
        return self.view(self._store.get_run(run_id))

    def resolve(self, text: str) -> RunView:
        """Like `by_ref`, and also by bare hex or a unique prefix (12 digits or more) of a run key.

        32 digits are a backend id first. Raises RunNotFound.
        """
        self._delivery.catch_up()
        prefix = text.removeprefix(f"{RunKey.KIND}:")
        if not _is_hex(prefix):
            return self.by_ref(text)
        if len(prefix) == _KEY_DIGITS:
            return self.by_ref(f"{RunKey.KIND}:{prefix}")
        if text == prefix and len(text) == _BACKEND_DIGITS:
            try:
                return self.by_ref(text)
            except RunNotFound:
                return self._by_prefix(prefix)
        return self._by_prefix(prefix)

    def run_id(self, run_key: RunKey, timeout_s: float | None = None) -> str:
        """The backend id of a run, delivering first."""
        self._delivery.flush(timeout_s)
        return self._delivery.run_id(run_key) or self._search(run_key)

    def page(self, run_key: RunKey, timeout_s: float | None = None) -> str | None:
        """The page that shows a run, where there is one, delivering first."""
        return self._store.run_url(self._store.get_run(self.run_id(run_key, timeout_s)))

    def is_ours(self, view: RunView) -> bool:
        """Whether this home delivered the run's beginning."""
        return view.ref.startswith("rk3:") and self._delivery.run_id(RunKey(view.ref)) == view.run_id

    def catch_up(self) -> None:
        """Deliver what waits, as before every question."""
        self._delivery.catch_up()

    @property
    def limits(self) -> Capabilities:
        """What the store can hold as it is."""
        return self._store.capabilities

    def _whole(self, run: StoredRun) -> StoredRun:
        return as_recorded(run, self._artifacts, self._project.vocabulary)

    def _keys(self, names: Iterable[str]) -> frozenset[str]:
        """Every key that one of the tags is read from."""
        return frozenset(key for name in names for key in self._project.vocabulary.read_keys(name))

    def _has(self, run: StoredRun, wanted: Mapping[str, str]) -> bool:
        """Whether the run has these tag values, by the vocabulary's names."""
        return all(
            (self._project.vocabulary.find(name, run.tags) or ("", None))[1] == text
            for name, text in wanted.items()
        )

    def _by_prefix(self, digits: str) -> RunView:
        if len(digits) < FEWEST_DIGITS:
            raise RunNotFound(
                f"{digits!r} is too short to name a run",
                cure="give 12 hexadecimal digits of its run key or more; `studbook runs` lists them",
            )
        found: dict[str, RunView] = {}
        for view in self.find(tuple(Stage), flush=False, fresh=False):
            if view.ref.startswith(f"{RunKey.KIND}:{digits}"):
                held = found.setdefault(view.ref, view)
                if held.lifecycle is Lifecycle.DELETED:
                    found[view.ref] = view
        if len(found) != 1:
            raise RunNotFound(
                f"{len(found) or 'no'} run{'s have' if found else ' has'} a key that begins with {digits}",
                cure="give more digits: " + ", ".join(found) if found else "`studbook runs` lists the keys",
            )
        return next(iter(found.values()))

    def _search(self, run_key: RunKey) -> str:
        """The backend id of the run; a deleted one only where there is no other."""
        experiments = self.experiments()
        found: dict[Lifecycle, str] = {}
        for key in self._project.vocabulary.read_keys("run.key"):
            query = RunQuery(experiments, ANY_STATUS, tags={key: run_key}, lifecycles=_BOTH)
            for run in self._store.find(query):
                found.setdefault(run.lifecycle, run.run_id)
        if not found:
            raise RunNotFound(
                f"no run has the key {run_key}",
                cure="check the key, the tracking URI and the project; `studbook runs` lists what is there",
                run=str(run_key),
            )
        return found.get(Lifecycle.ACTIVE) or found[Lifecycle.DELETED]


def _is_hex(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789abcdef")
