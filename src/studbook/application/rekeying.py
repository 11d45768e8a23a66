"""Two homes that gave one attempt to two runs: whoever delivers second takes the next attempt that is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..domain.errors import IdentityError, InvalidInput, RunNotFound, TrackingRefused
from ..domain.keys import RunKey
from ..domain.run_events import RunStarted, TagsSet
from ..domain.run_identity import RunIdentity
from ..domain.store_writes import CreateRun
from ..domain.stored_run import StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.clock import Clock
from ..ports.delivery_ledger import DeliveryLedger
from ..ports.event_log import EventLog, Happening
from ..ports.log import get_logger
from ..ports.tracking_store import NewRun, TrackingStore

_IDENTITY = ("run.key", "run.attempt")
_NAMES_A_RUN = ("run.parent_key", "sweep.best_run_key")

_log = get_logger(__name__)


class Rekeying:
    """Creates runs, never in another writer's run, and knows which key the store has for ours.

    What becomes of a run is noted in `log`, so that it is known wherever the journal is read.
    """

    def __init__(
        self,
        store: TrackingStore,
        ledger: DeliveryLedger,
        vocabulary: Vocabulary,
        log: EventLog,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._vocabulary = vocabulary
        self._log = log
        self._clock = clock
        self._identities: dict[RunKey, dict[str, str]] = {}

    def create(self, write: CreateRun, new: NewRun) -> str:
        """The backend id of the run: found, created, or created under the next attempt that nobody has."""
        run_id = self._store.create_run(new)
        self._identities[write.run_key] = {}
        if write.begun is None or "nonce" in write.begun.subject:
            return run_id
        identity: RunIdentity | None = None
        while not self._is_ours(self._store.get_run(run_id), write, new.adopt):
            identity = identity or _identity(write.begun)
            identity = identity.next_attempt(identity.attempt + 1)
            run_id = self._store.create_run(
                replace(new, run_key=identity.key, tags={**new.tags, **self._tags(identity)})
            )
        if identity is not None:
            tags = self._identities[write.run_key] = self._tags(identity)
            _log.warning("attempt taken by another home", run=str(write.run_key), now=str(identity.key))
            self._log.append(Happening(TagsSet(tags=tags), write.run_key, self._clock.now_ns()))
        return run_id

    def settled(self, run_key: RunKey, tags: Mapping[str, str]) -> dict[str, str]:
        """The run's tags as the store is to hold them: the run, and those that it names, by the keys there."""
        settled = dict(tags)
        for name in _NAMES_A_RUN:
            key = self._vocabulary.key(name)
            if key in settled:
                settled[key] = self._key_there(settled[key])
        own, attempt = (self._vocabulary.key(name) for name in _IDENTITY)
        if own in settled:
            there = self._identity_there(run_key)
            settled.update(there)
            if not there and settled[own] != run_key:
                # Noted for another target: here the run kept its key.
                del settled[own], settled[attempt]
        return settled

    def _key_there(self, text: str) -> str:
        try:
            run_key = RunKey(text)
        except IdentityError:
            return text
        return self._identity_there(run_key).get(self._vocabulary.key("run.key"), text)

    def _identity_there(self, run_key: RunKey) -> dict[str, str]:
        """The identity tags of a run of ours that has others than it was begun with; else none."""
        if run_key not in self._identities:
            run_id = self._ledger.run_id(run_key)
            if run_id is None:
                return {}
            self._identities[run_key] = self._changed(run_key, run_id)
        return self._identities[run_key]

    def _changed(self, run_key: RunKey, run_id: str) -> dict[str, str]:
        try:
            tags = self._store.get_run(run_id).tags
        except RunNotFound:
            return {}
        keys = [self._vocabulary.key(name) for name in _IDENTITY]
        found = {key: tags[key] for key in keys if key in tags}
        return {} if found.get(keys[0], str(run_key)) == run_key else found

    def _tags(self, identity: RunIdentity) -> dict[str, str]:
        return dict(
            self._vocabulary.write(name, value)
            for name, value in zip(_IDENTITY, (identity.key, identity.attempt), strict=True)
        )

    def _is_ours(self, run: StoredRun, write: CreateRun, adopt: str | None) -> bool:
        """Whether the run was begun by this event: a writer's own runs of one key differ in their beginning.

        An adopted run was begun by somebody else, and keeps its start.
        """
        writer = self._vocabulary.find("run.writer", run.tags)
        if writer is None:
            return True
        begun_so = run.started_at_ms == write.started_at_ms or run.run_id == adopt
        return begun_so and writer == self._vocabulary.find("run.writer", write.tags)


def _identity(begun: RunStarted) -> RunIdentity:
    try:
        return RunIdentity(
            project=begun.project, stage=begun.stage, subject=begun.subject, attempt=begun.attempt
        )
    except InvalidInput as error:
        raise TrackingRefused(
            f"another home's run has the key of {begun.name!r}, which cannot get another: {error.problem}",
            cure="report it, with the event: a run's beginning tells project and subject",
        ) from error
