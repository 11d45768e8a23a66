"""The tracking target: which backend a book delivers to, decided once, by the URI's scheme."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..domain.errors import UnsupportedTarget
from .origin import Origin, Source


class TargetKind(StrEnum):
    """The kinds of backends."""

    SQLITE = "mlflow-sqlite"
    DATABASE = "mlflow-db"
    SERVER = "mlflow-server"
    AZUREML = "azureml"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class TrackingTarget:
    """Where events are delivered to. `uri` may hold credentials; `display` never does. That of a workspace has no host:
    one name, whoever names it.

    `experiment` names one experiment for all stages, or None. `decided_by` is the source that spoke first,
    `origin` its place: a variable, or file and line. `job_run_id` is the run of the job that this process is in.
    `artifact_root` is an absolute path or a URI, or None.
    """

    kind: TargetKind
    uri: str = field(repr=False)
    display: str
    experiment: str | None
    decided_by: Source
    origin: str
    job_run_id: str | None = None
    artifact_root: str | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """A short name for folders: the same for the same place, whoever decided, without secrets."""
        return f"{self.kind}-{hashlib.sha256(self.display.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class SaidUri:
    """A tracking URI as somebody gave it."""

    uri: str = field(repr=False)
    origin: Origin


_PLAIN = {"sqlite": TargetKind.SQLITE, "azureml": TargetKind.AZUREML, "memory": TargetKind.MEMORY}
_SERVER_SCHEMES = frozenset({"http", "https"})
_DATABASE_SCHEMES = frozenset({"postgresql", "mysql", "mssql"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(\+[A-Za-z0-9_]+)?:")
_WORKSPACE_VERSION = re.compile(r"^/mlflow/v\d+(?:\.\d+)*/")
_SCOPE = "/subscriptions/"
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?")
_SERVED = (
    "sqlite:///<path>, postgresql://<host>/<database>, http(s)://<host> of an MLflow server, azureml://<host>/… of a "
    "workspace, or memory://"
)


def resolve_target(
    said: SaidUri | None,
    *,
    home: Path,
    experiment: str | None = None,
    artifact_root: SaidUri | None = None,
) -> TrackingTarget:
    """The target that `said` names, else the SQLite file beside the home folder.

    Only the scheme decides. A relative path, of SQLite or of the artifact root, starts from the folder of whoever
    said it. Raises UnsupportedTarget, without the URI's text: it may hold a password.
    """
    if said is None:
        default = sqlite_uri(home.parent / "mlflow.db")
        said = SaidUri(default, Origin(Source.DEFAULT, "default: mlflow.db beside the home", home.parent))
    uri = said.uri.strip()
    kind = _kind(uri, said.origin)
    if kind is TargetKind.SQLITE:
        uri = _absolute_sqlite(uri, said.origin)
    elif "://" not in uri and kind is not TargetKind.MEMORY:
        raise UnsupportedTarget(
            f"the tracking URI given by {said.origin} names no host",
            cure=f"write two slashes and a host after the scheme: {_SERVED}",
        )
    elif kind is TargetKind.AZUREML:
        uri = workspace_uri(uri)
    return TrackingTarget(
        kind=kind,
        uri=uri,
        display=_display(uri, kind),
        experiment=experiment,
        decided_by=said.origin.source,
        origin=said.origin.place,
        artifact_root=None if artifact_root is None else _artifact_root(artifact_root),
    )


def named_target(display: str) -> TrackingTarget:
    """The target that an earlier one's display text names; its `id` is the same. Raises UnsupportedTarget."""
    return resolve_target(SaidUri(display, Origin(Source.DEFAULT, "a journal", Path("/"))), home=Path("/"))


def sqlite_uri(path: Path) -> str:
    """The URI of an SQLite file at an absolute path. Raises UnsupportedTarget if no URI can hold it."""
    if "?" in str(path):
        raise UnsupportedTarget(
            f"an sqlite URI cannot name a path with a question mark: {path}",
            cure="move the project, or name another place: --tracking-uri or the setting tracking.uri",
        )
    return f"sqlite:///{path}"


def file_store_folder(uri: str, folder: Path) -> Path | None:
    """The folder that a plain path, or a `file:` URI, names; None for a URI of another scheme.

    A relative path starts from `folder`.
    """
    scheme, _ = _scheme(uri)
    if not _names_files(scheme):
        return None
    path = unquote(urlsplit(uri).path) if scheme == "file" else uri
    return Path(os.path.normpath(folder / path))


def workspace_uri(uri: str) -> str:
    """A workspace's v2.0 form without query, whichever version its document names."""
    scheme, _, rest = re.split(r"[?#]", uri, maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}{_WORKSPACE_VERSION.sub('/mlflow/v2.0/', slash + path)}"


def workspace_identity(uri: str) -> str | None:
    """What tells whether two URIs of scheme azureml name one workspace, with a host or without; None for other URIs."""
    scheme, _, rest = uri.partition("://")
    if scheme.lower() != TargetKind.AZUREML or _SCOPE not in rest:
        return None
    return re.split(r"[?#]", rest[rest.index(_SCOPE) :], maxsplit=1)[0].rstrip("/").lower()


def _scheme(uri: str) -> tuple[str, bool]:
    """The scheme, and whether it names a driver too."""
    found = _SCHEME.match(uri)
    return (found[1].lower() if found else "", bool(found and found[2]))


def _names_files(scheme: str) -> bool:
    """Whether the URI is a path: one letter is a Windows drive."""
    return len(scheme) <= 1 or scheme == "file"


def _kind(uri: str, origin: Origin) -> TargetKind:
    scheme, driver = _scheme(uri)
    if _names_files(scheme):
        what = "an MLflow file store" if scheme == "file" else "a plain path: an MLflow file store"
        raise UnsupportedTarget(
            f"the tracking URI given by {origin} is {what}; that store is withdrawn",
            cure="track into a database, sqlite:///mlflow.db; to copy an existing file store into one: "
            "`studbook migrate <folder> sqlite:///mlflow.db`, or `mlflow migrate-filestore`",
        )
    if scheme in _DATABASE_SCHEMES:
        return TargetKind.DATABASE
    if scheme in _SERVER_SCHEMES and not driver:
        return TargetKind.SERVER
    if scheme in _PLAIN and not driver:
        return _PLAIN[scheme]
    raise UnsupportedTarget(
        f"the tracking URI given by {origin} has the scheme {scheme!r}, which studbook does not deliver to",
        cure=f"use {_SERVED}",
        scheme=scheme,
    )


def _absolute_sqlite(uri: str, origin: Origin) -> str:
    rest = uri.partition(":")[2]
    location, mark, query = rest.partition("?")
    path = location.removeprefix("///")
    if path == location or path in {"", "/", ":memory:"}:
        raise UnsupportedTarget(
            f"the sqlite URI given by {origin} names no file",
            cure="write three slashes and a path, sqlite:///mlflow.db; memory:// tracks in memory",
        )
    return sqlite_uri(Path(os.path.normpath(origin.folder / path))) + mark + query


def _artifact_root(said: SaidUri) -> str:
    text = said.uri.strip()
    if "://" in text:
        return text
    return os.path.normpath(said.origin.folder / Path(text).expanduser())


def _display(uri: str, kind: TargetKind) -> str:
    """The URI without user, password, query and fragment.

    Unescaped separators in a password make a URI ambiguous; then nothing after the scheme is shown.
    """
    scheme, _, rest = uri.partition(":")
    if kind is TargetKind.SQLITE:
        return f"{scheme}:{rest.partition('?')[0]}"
    if kind is TargetKind.AZUREML and _SCOPE in rest:
        return f"{scheme}://{rest[rest.index(_SCOPE) :].rstrip('/')}"
    rest = rest.removeprefix("//")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    tail = rest[len(authority) :]
    if "@" in tail or not _HOST.fullmatch(host):
        return f"{scheme}://***"
    return f"{scheme}://{host}{re.split(r'[?#]', tail, maxsplit=1)[0]}"
