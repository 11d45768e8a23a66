"""Names and paths that every file system and backend can hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from .errors import ArtifactNameInvalid

RESERVED_PREFIX = "studbook"
"""The folder of a run's artifacts that holds manifests and records."""

DELIVERY_FOLDER = ".studbook-acquired"
"""The folder beside a destination that holds stages and receipts."""

MAX_COMPONENT_BYTES = 255
MAX_PATH_BYTES = 1024
MAX_DEPTH = 32

_FORBIDDEN = frozenset('\\:*?"<>|')
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM[1-9]|LPT[1-9])(\..*)?", re.IGNORECASE | re.DOTALL)
_REVISION_SUFFIX = re.compile(r"\.a\d{3,}$")


def check_path(path: str) -> None:
    """Raise ArtifactNameInvalid unless `path` is a portable relative POSIX path of a file."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise _invalid(path, path, "is not UTF-8") from None
    components = path.split("/")
    if len(encoded) > MAX_PATH_BYTES or len(components) > MAX_DEPTH:
        raise _invalid(path, path, f"is over {MAX_PATH_BYTES} bytes or {MAX_DEPTH} components")
    for component in components:
        if problem := _problem(component):
            raise _invalid(path, component, problem)
    if _folded(components[0]) == DELIVERY_FOLDER:
        raise _invalid(path, components[0], "is reserved")


def check_paths(paths: Iterable[str]) -> None:
    """Check every path of a tree, and that no two of them are one on some file system.

    Raises ArtifactNameInvalid, also for a name that is a file and a folder.
    """
    names: dict[str, str] = {}
    files: set[str] = set()
    for path in paths:
        check_path(path)
        folded = _folded(path)
        if folded in files:
            raise _invalid(path, path, "differs from another file in case or Unicode form only")
        files.add(folded)
        for name in (path, *map(str, PurePosixPath(path).parents[:-1])):
            if names.setdefault(_folded(name), name) != name:
                raise _invalid(path, name, "differs from another name in case or Unicode form only")
    for path in files:
        for folder in map(str, PurePosixPath(path).parents[:-1]):
            if folder in files:
                raise _invalid(names[path], names[folder], "is a file and a folder")


def check_artifact_name(name: str) -> None:
    """Raise ArtifactNameInvalid unless an artifact can be stored under this exact name."""
    check_path(name)
    first = name.split("/", 1)[0]
    if _folded(first) == RESERVED_PREFIX:
        raise _invalid(name, first, "is reserved")
    if _REVISION_SUFFIX.search(name):
        raise _invalid(name, name.rsplit("/", 1)[-1], "ends like an artifact's revision")


def _problem(component: str) -> str | None:
    if component in {"", ".", ".."}:
        return "is no name"
    if any(c in _FORBIDDEN or unicodedata.category(c) == "Cc" for c in component):
        return "holds a character that is not portable"
    if component != component.strip(" ") or component.endswith("."):
        return "begins or ends with a space, or ends with a dot"
    if _DEVICE.fullmatch(component):
        return "is a device name on Windows"
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"is over {MAX_COMPONENT_BYTES} bytes"
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _invalid(path: str, component: str, problem: str) -> ArtifactNameInvalid:
    return ArtifactNameInvalid(
        f"in the artifact path {path[:200]!r}, {component[:200]!r} {problem}",
        cure="rename it: short names of letters, digits, '-', '_' and '.' work everywhere",
        path=path,
        component=component,
    )
