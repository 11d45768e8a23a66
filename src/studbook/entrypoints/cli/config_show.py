"""`studbook config show`: the settings in force, and who decided them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ...config.origin import Origin, Source
from ...domain.redaction import redact
from .command_line import CommandLine
from .output import table

if TYPE_CHECKING:
    from ...config.settings import LoadedSettings


_TARGET = "tracking.uri"


def show(
    cli: CommandLine,
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
) -> None:
    """Show every setting that is in force.

    The tracking URI is shown without its secrets. With --origin, also who decided each value and who else
    spoke.
    """
    values = _values(cli.loaded)
    document: dict[str, object] = {"settings": values, "target": _target(cli.loaded)}
    if origin:
        document["origins"] = _origins(cli.loaded, values)

    columns = ["setting", "value", *(["decided by", "overruled"] if origin else [])]
    cli.output.show(
        document,
        lambda: table(
            columns, [_row(cli.loaded, key, value, origin=origin) for key, value in values.items()]
        ),
    )


def _values(loaded: LoadedSettings) -> dict[str, object]:
    """By dotted key, the value in force: the home and the target as they were resolved."""
    tree = loaded.settings.model_dump(mode="json")
    tree["selection"] = loaded.selection.model_dump(mode="json", by_alias=True)
    tree["home"] = str(loaded.home)
    tree["tracking"]["uri"] = loaded.target.display
    return dict(sorted(_leaves(tree)))


def _leaves(tree: dict[str, object], below: str = "") -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{below}{name}.")
        else:
            yield f"{below}{name}", redact(value) if isinstance(value, str) else value


def _target(loaded: LoadedSettings) -> dict[str, object]:
    target = loaded.target
    return {
        "kind": target.kind,
        "uri": target.display,
        "experiment": target.experiment,
        "decided_by": target.decided_by,
        "origin": target.origin,
    }


def _origins(loaded: LoadedSettings, keys: Iterable[str]) -> dict[str, object]:
    return {
        key: {**_who(_decided_by(loaded, key)), "overruled": [_who(o) for o in loaded.overruled.get(key, ())]}
        for key in keys
    }


def _who(origin: Origin) -> dict[str, str]:
    return {"source": origin.source, "place": origin.place}


def _decided_by(loaded: LoadedSettings, key: str) -> Origin:
    """Who said the key, or the mapping that it is in; else nobody did, and it is a default. The target's URI may be
    said by other keys.
    """
    target = loaded.target
    if key == _TARGET and target.decided_by is not Source.DEFAULT:
        return Origin(target.decided_by, target.origin, loaded.project_folder)
    words = key.split(".")
    names = (".".join(words[:length]) for length in range(len(words), 0, -1))
    found = next((loaded.origins[name] for name in names if name in loaded.origins), None)
    return found or Origin(Source.DEFAULT, "default", loaded.project_folder)


def _row(loaded: LoadedSettings, key: str, value: object, *, origin: bool) -> list[object]:
    if not origin:
        return [key, value]
    overruled = ", ".join(str(said) for said in loaded.overruled.get(key, ()))
    return [key, value, _decided_by(loaded, key), overruled]
