"""What names the tracking target: its URI, or an Azure ML workspace by its settings or its downloaded file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..adapters.azureml.scope import workspace_scope
from ..domain.errors import ConfigError
from .origin import Origin, Source
from .schema import Azure, Tracking
from .tracking_target import SaidUri

_URI = "tracking.uri"
_FILE = "tracking.azure.config"
_PARTS = ("subscription_id", "resource_group", "workspace_name")
_RANK = list(Source)
_PART = re.compile(r"[^/?#\s]+")


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to name the target that somebody took: by these keys, the strongest of them said at `origin`."""

    keys: tuple[str, ...]
    origin: Origin
    uri: Callable[[], str]

    def __str__(self) -> str:
        return f"{', '.join(self.keys)} ({self.origin})"


def said_uri(tracking: Tracking, origins: Mapping[str, Origin]) -> SaidUri | None:
    """The URI of the target that the strongest source names; None when nobody does. A workspace that is named without
    its host has none in its URI.

    Raises ConfigError when one source names it in two ways, names only parts of a workspace, or a file that does not
    name one.
    """
    forms = list(_forms(tracking, origins))
    if not forms:
        return None
    strongest = max(_RANK.index(form.origin.source) for form in forms)
    first, *others = [form for form in forms if _RANK.index(form.origin.source) == strongest]
    if others:
        raise ConfigError(
            f"the tracking target is named in two ways: by {first}, and by {others[0]}",
            cure="name it in one of them only",
        )
    return SaidUri(first.uri(), first.origin)


def _forms(tracking: Tracking, origins: Mapping[str, Origin]) -> Iterator[_Form]:
    uri, azure = tracking.uri, tracking.azure
    if uri is not None:
        yield _Form((_URI,), origins[_URI], lambda: uri)
    said = tuple(f"tracking.azure.{part}" for part in _PARTS if getattr(azure, part) is not None)
    if said:
        origin = max((origins[key] for key in said), key=lambda each: _RANK.index(each.source))
        yield _Form(said, origin, lambda: _by_settings(azure))
    file = azure.config
    if file is not None:
        origin = origins[_FILE]
        yield _Form((_FILE,), origin, lambda: _by_file(_path(file, origin.folder)))


def _by_settings(azure: Azure) -> str:
    missing = [part for part in _PARTS if getattr(azure, part) is None]
    if missing:
        raise ConfigError(
            f"a workspace is named in part: tracking.azure.{missing[0]} is missing",
            cure=f"set all of tracking.azure.{', '.join(_PARTS)}, or tracking.azure.config, or tracking.uri",
        )
    return _uri({part: getattr(azure, part) for part in _PARTS}, "tracking.azure")


def _by_file(path: Path) -> str:
    cure = "download config.json from the workspace's page in the studio; it has " + ", ".join(_PARTS)
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path} ({_FILE}) cannot be read: {why}", cure=cure) from error
    if not isinstance(document, dict) or not all(isinstance(document.get(part), str) for part in _PARTS):
        raise ConfigError(f"{path} ({_FILE}) names no workspace", cure=cure)
    return _uri(document, str(path))


def _path(text: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / Path(text).expanduser()))


def _uri(parts: Mapping[str, str], place: str) -> str:
    for part in _PARTS:
        if not _PART.fullmatch(parts[part]):
            raise ConfigError(
                f"{part} in {place} is no part of an address: {parts[part]!r:.80}",
                cure="write the name, or the subscription's id, alone",
            )
    return f"azureml://{workspace_scope(*(parts[part] for part in _PARTS))}"
