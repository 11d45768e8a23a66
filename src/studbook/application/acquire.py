"""Acquire an artifact: the run's files at a place of one's own, verified, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..domain.acquisition import (
    ManifestAmbiguous,
    Outcome,
    Phase,
    Receipt,
    Source,
    Trust,
    choose_manifest,
)
from ..domain.artifact_kinds import validate
from ..domain.artifact_names import DELIVERY_FOLDER
from ..domain.errors import (
    AcquisitionFailed,
    ArtifactInvalid,
    ArtifactNameInvalid,
    DestinationOccupied,
    IntegrityError,
    InvalidInput,
    NoSpace,
    StudbookError,
)
from ..domain.manifest import ArtifactKind, ArtifactManifest
from ..domain.run import RunStatus
from ..domain.run_view import RunView
from ..domain.stored_run import Lifecycle
from ..domain.tag_types import TIME
from ..ports.artifact_store import ArtifactStore
from ..ports.clock import Clock
from ..ports.delivery_folder import DeliveryFolder, Occupancy
from .try_log import TryLog


@dataclass(frozen=True, slots=True, repr=False)
class Acquired:
    """Files that were handed over: where they are, what they are, and how they were checked."""

    path: Path
    manifest: ArtifactManifest
    receipt: Receipt

    def __repr__(self) -> str:
        receipt = self.receipt
        return f"Acquired({str(self.path)!r}, {receipt.kind}, {receipt.trust}, {receipt.content_digest})"


@dataclass(frozen=True, slots=True)
class _Request:
    subject: RunView
    kind: ArtifactKind
    name: str | None
    replace: bool
    target: str
    mapping_basis: str | None
    started_ns: int
    log: TryLog

    @property
    def wanted(self) -> str:
        return f"{self.kind} {self.name or ''} of run {self.subject.name}".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class _Served:
    manifest: ArtifactManifest
    source: Source
    trust: Trust


class AcquireArtifact:
    """Asks the destination first, then the run's store; every source that is asked is a try."""

    def __init__(
        self,
        store: ArtifactStore,
        clock: Clock,
        home: Path,
        deliveries: DeliveryFolder,
        *,
        studbook: str,
        lock_timeout_s: float = 600.0,
    ) -> None:
        self._store = store
        self._clock = clock
        self._home = home.absolute()
        self._deliveries = deliveries
        self._studbook = studbook
        self._lock_timeout_s = lock_timeout_s

    def acquire(
        self,
        subject: RunView,
        kind: ArtifactKind | str,
        *,
        name: str | None = None,
        to: Path | None = None,
        replace: bool = False,
        target: str | None = None,
        mapping_basis: str | None = None,
    ) -> Acquired:
        """The subject's artifact at `to`, by default `<home>/models/<kind>-<16 hex of the content digest>`.

        Raises AcquisitionFailed with every try, DestinationOccupied for files that are not ours,
        AcquireBusy, NoSpace. The destination is then as it was.
        """
        request = _Request(
            subject=subject,
            kind=_kind(kind),
            name=name,
            replace=replace,
            target=target or subject.ref,
            mapping_basis=mapping_basis,
            started_ns=self._clock.now_ns(),
            log=TryLog(self._clock),
        )
        _check_subject(request)
        manifest = self._find_manifest(request)
        if to is not None:
            destination = self._checked(to)
        elif manifest is not None:
            digest = manifest.content_digest.removeprefix("sha256:")
            destination = self._home / "models" / f"{request.kind}-{digest[:16]}"
        else:
            raise request.log.failure(request.wanted)
        return self._deliver(request, manifest, destination)

    def _deliver(self, request: _Request, manifest: ArtifactManifest | None, destination: Path) -> Acquired:
        log = request.log
        log.begin(Source.DESTINATION, str(destination))
        try:
            with self._deliveries.hold(destination, self._lock_timeout_s):
                acquired = self._from_destination(request, manifest, destination)
                if acquired is None and manifest is not None:
                    acquired = self._from_store(request, manifest, destination)
        except OSError as error:
            log.fail(error)
            raise log.failure(request.wanted) from error
        if acquired is None:
            raise log.failure(request.wanted)
        return acquired

    def _find_manifest(self, request: _Request) -> ArtifactManifest | None:
        log, subject = request.log, request.subject
        log.begin(Source.STORE, subject.run_id)
        try:
            stored = self._store.manifests(subject.run_id)
            log.phase = Phase.IDENTITY
            manifest = choose_manifest(stored, request.kind, request.name)
        except StudbookError as error:
            log.fail(error)
            return None
        except ManifestAmbiguous as error:
            log.end(Outcome.FAILED, "IDENTITY_AMBIGUOUS", ", ".join(error.names))
            raise log.failure(request.wanted) from None
        if manifest is None:
            log.end(Outcome.MISS, "NOT_FOUND", _missing(stored))
        elif manifest.run_key is not None and manifest.run_key != subject.ref:
            log.end(Outcome.FAILED, "IDENTITY_MISMATCH", f"the manifest is of run {manifest.run_key}")
            return None
        return manifest

    def _from_destination(
        self, request: _Request, manifest: ArtifactManifest | None, destination: Path
    ) -> Acquired | None:
        log = request.log
        trust = Trust.VERIFIED
        if (known := manifest) is None:
            known = self._delivered_before(request, destination)
            trust = Trust.SELF_VERIFIED
        if known is None:
            return None
        match self._deliveries.occupancy(destination, known):
            case Occupancy.ABSENT:
                log.end(Outcome.MISS, "NOT_FOUND")
            case Occupancy.SAME_UNREAD:
                log.phase = Phase.VERIFY
                log.end(Outcome.OK)
                return self._handed_over(request, _Served(known, Source.DESTINATION, trust), destination)
            case Occupancy.SAME:
                return self._read_again(request, _Served(known, Source.DESTINATION, trust), destination)
            case Occupancy.FOREIGN if manifest is not None and not request.replace:
                raise DestinationOccupied(
                    f"{destination} holds something else, which studbook did not put there",
                    cure="give another `to`, or replace=True to have it replaced",
                    path=str(destination),
                )
            case Occupancy.FOREIGN | Occupancy.OURS:
                log.phase = Phase.VERIFY
                log.end(Outcome.FAILED, "DIGEST_MISMATCH", "other or damaged files")
        return None

    def _delivered_before(self, request: _Request, destination: Path) -> ArtifactManifest | None:
        """What the receipt file says of the destination, when no manifest of the run could be read."""
        log = request.log
        delivery = self._deliveries.delivered(destination)
        log.phase = Phase.IDENTITY
        if delivery is None:
            log.end(Outcome.MISS, "IDENTITY_MISSING", "no receipt file")
            return None
        known = delivery.manifest
        if (
            delivery.receipt.subject != request.subject.ref
            or known.kind is not request.kind
            or request.name not in (None, known.name)
        ):
            log.end(Outcome.FAILED, "IDENTITY_MISMATCH", f"{known.kind} of {delivery.receipt.subject}")
            return None
        return known

    def _read_again(self, request: _Request, served: _Served, destination: Path) -> Acquired | None:
        request.log.phase = Phase.VERIFY
        manifest = served.manifest
        try:
            validate(request.kind, self._deliveries.view(destination, manifest), manifest.profile)
        except ArtifactInvalid as error:
            request.log.fail(error)
            return None
        request.log.end(Outcome.OK)
        acquired = self._handed_over(request, served, destination)
        if self._deliveries.delivered(destination) is not None:
            self._deliveries.record(destination, manifest, acquired.receipt)
        return acquired

    def _from_store(
        self, request: _Request, manifest: ArtifactManifest, destination: Path
    ) -> Acquired | None:
        log = request.log
        for _ in range(2):  # damaged bytes may be the transport's: such a fetch is tried once more
            log.begin(Source.STORE, request.subject.run_id)
            try:
                self._fetch(request, manifest, destination)
            except IntegrityError as error:
                log.fail(error)
            except NoSpace as error:
                log.fail(error)
                raise
            except (StudbookError, OSError) as error:
                log.fail(error)
                return None
            else:
                log.end(Outcome.OK, size=manifest.total_size)
                served = _Served(manifest, Source.STORE, Trust.VERIFIED)
                acquired = self._handed_over(request, served, destination)
                self._deliveries.record(destination, manifest, acquired.receipt)
                return acquired
        return None

    def _fetch(self, request: _Request, manifest: ArtifactManifest, destination: Path) -> None:
        log = request.log
        with self._deliveries.stage(destination, manifest.total_size) as staged:
            log.phase = Phase.FETCH
            self._store.fetch(request.subject.run_id, manifest, staged)
            log.phase = Phase.VERIFY
            validate(request.kind, self._deliveries.view(staged, manifest), manifest.profile)
            log.phase = Phase.PUBLISH
            self._deliveries.publish(staged, destination, manifest)

    def _handed_over(self, request: _Request, served: _Served, destination: Path) -> Acquired:
        manifest = served.manifest
        fetched = served.source is Source.STORE
        receipt = Receipt(
            target=request.target,
            subject=request.subject.ref,
            mapping_basis=request.mapping_basis,
            kind=request.kind,
            name=manifest.name,
            content_digest=manifest.content_digest,
            trust=served.trust,
            source=served.source,
            tries=request.log.tries,
            bytes_transferred=manifest.total_size if fetched else 0,
            bytes_reused=0 if fetched else manifest.total_size,
            materialised="copy" if fetched else "none",
            path=str(destination),
            started_at=TIME.write(request.started_ns // 10**6),
            ended_at=TIME.write(self._clock.now_ns() // 10**6),
            studbook=self._studbook,
        )
        return Acquired(destination, manifest, receipt)

    def _checked(self, to: Path) -> Path:
        destination = to.expanduser().absolute()
        if DELIVERY_FOLDER in destination.parts or ".." in destination.parts or not destination.name:
            raise ArtifactNameInvalid(
                f"{to} is no place for an artifact",
                cure=f"name a new folder or file, without '..' and outside of {DELIVERY_FOLDER}",
                path=str(to),
                component=destination.name,
            )
        if self._home.is_relative_to(destination):
            raise DestinationOccupied(
                f"{destination} holds the studbook home", cure="give another `to`", path=str(destination)
            )
        return destination


def _kind(kind: ArtifactKind | str) -> ArtifactKind:
    try:
        return ArtifactKind(kind)
    except ValueError:
        raise InvalidInput(
            f"there is no artifact kind {kind!r}", cure=f"use one of {', '.join(ArtifactKind)}"
        ) from None


def _missing(stored: Sequence[ArtifactManifest]) -> str:
    held = ", ".join(f"kind {each.kind}, name {each.name}" for each in stored)
    return f"the run has no such artifact{f', but has {held}' if held else ''}"


def _check_subject(request: _Request) -> None:
    subject = request.subject
    if subject.status is not RunStatus.FINISHED or subject.lifecycle is not Lifecycle.ACTIVE:
        state = subject.status if subject.lifecycle is Lifecycle.ACTIVE else subject.lifecycle
        raise AcquisitionFailed(
            f"run {subject.name} is {state}: only the files of FINISHED, active runs are handed over",
            cure="acquire from a finished run, or restore this one",
            tries=(),
        )
