"""What a migration is made of: the two stores that its URIs name, and its memory in the home."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..adapters.home.migration_ledger import HomeMigrationLedger
from ..application.migrate import MigrateStore
from ..application.migration_ends import Destination, Source
from ..application.renamed_source import RenamedSource
from ..domain.errors import ConfigError, UnsupportedTarget
from .building import relay_backoff
from .container import Container
from .origin import Origin
from .origin import Source as Sayer
from .settings import LoadedSettings
from .tracking_target import SaidUri, TargetKind, TrackingTarget, file_store_folder, resolve_target


@contextmanager
def open_migration(
    loaded: LoadedSettings,
    source: str,
    destination: str | None,
    *,
    version: str,
    renamed: Mapping[str, str] = MappingProxyType({}),
    deleted: bool = False,
    writes: bool = True,
) -> Iterator[MigrateStore]:
    """The use case for these two, as somebody gave them; relative paths start from the working directory.

    The source is a tracking URI, or the folder of an MLflow file store; without a destination, it is the project's
    own target. `renamed` are new names of experiments by old ones. Without `writes`, a destination that is not there
    is empty, and stays absent. Raises ConfigError and its children.
    """
    here = Container(loaded=loaded, version=version)
    with ExitStack() as opened:
        come_from = _source(loaded, source, version)
        come_from = replace(come_from, runs=RenamedSource(come_from.runs, renamed))
        opened.enter_context(closing(come_from.runs))
        opened.enter_context(closing(come_from.files))
        go_to = _destination(loaded, destination, version, writes=writes)
        opened.enter_context(closing(go_to.runs))
        opened.enter_context(closing(go_to.files))
        ledger = HomeMigrationLedger(loaded.home, come_from.id, go_to.id)
        opened.enter_context(closing(ledger))
        yield MigrateStore(
            come_from,
            go_to,
            ledger,
            here.locks(),
            here.clock(),
            relay_backoff(loaded),
            here.project().vocabulary,
            loaded.home / "migrations",
            deleted=deleted,
        )


def _source(loaded: LoadedSettings, said: str, version: str) -> Source:
    folder = file_store_folder(said.strip(), Path.cwd())
    if folder is not None:
        return _files(folder)
    target = _target(loaded, said, "the source")
    if _is_absent(target):
        raise ConfigError(f"there is no database {target.display}", cure="check the source's path")
    container = _container(loaded, target, version)
    return Source(container.tracking_store(), container.artifact_store(), target.id, target.display)


def _files(folder: Path) -> Source:
    from ..adapters.mlflow_files.file_source import MlflowFileArtifacts
    from ..adapters.mlflow_files.run_source import MlflowFileSource

    if not folder.is_dir() or not any(folder.glob("*/meta.yaml")):
        raise ConfigError(
            f"{folder} is no MLflow file store: no folder with experiments",
            cure="name the folder `mlruns` itself, or a tracking URI: a database is sqlite:///<path>",
        )
    runs = MlflowFileSource(folder)
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Source(runs, MlflowFileArtifacts(runs), f"mlflow-files-{name}", str(folder))


def _destination(loaded: LoadedSettings, said: str | None, version: str, *, writes: bool) -> Destination:
    which = "the destination"
    target = _lasting(loaded.target, which) if said is None else _target(loaded, said, which)
    container = _container(loaded, target, version)
    if not writes and _is_absent(target):
        absent = _container(loaded, replace(target, kind=TargetKind.MEMORY), version)
        return Destination(absent.tracking_store(), absent.artifact_store(), target.id, target.display)
    return Destination(container.tracking_store(), container.artifact_store(), target.id, target.display)


def _target(loaded: LoadedSettings, said: str, which: str) -> TrackingTarget:
    origin = Origin(Sayer.CALLER, which, Path.cwd())
    return _lasting(resolve_target(SaidUri(said, origin), home=loaded.home), which)


def _lasting(target: TrackingTarget, which: str) -> TrackingTarget:
    if target.kind is TargetKind.MEMORY:
        raise UnsupportedTarget(
            f"{which} is memory, which is empty and ends with this process", cure="name a store that lasts"
        )
    return target


def _container(loaded: LoadedSettings, target: TrackingTarget, version: str) -> Container:
    return Container(loaded=replace(loaded, target=target), version=version)


def _is_absent(target: TrackingTarget) -> bool:
    """Whether it is a database's file that opening would make."""
    path = target.uri.removeprefix("sqlite:///").partition("?")[0]
    return target.kind is TargetKind.SQLITE and not Path(path).exists()
