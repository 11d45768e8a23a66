"""What is installed, and whether it fits together."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ...ports.checkup import Check, Finding, ok, problem

_US = "studbook"
_TOLD = (_US, "mlflow", "optuna", "azureml-mlflow")
_PAIRS = {"azureml-mlflow": frozenset({"mlflow", "mlflow-skinny"})}
"""Whose own demands on what are looked at, too: with one unmet they break in ways that name no version."""
_EXTRA_OF = {"azureml-mlflow": "azure"}


@dataclass(frozen=True, slots=True)
class Installation:
    """The distributions of this Python, as their metadata tell."""

    python: str = field(default_factory=platform.python_version)
    version_of: Callable[[str], str] = metadata.version
    demands_of: Callable[[str], Iterable[str] | None] = metadata.requires
    wanted_python: str | None = field(
        default_factory=lambda: metadata.metadata(_US).get("Requires-Python")  # type: ignore[attr-defined]
    )

    def version(self, name: str) -> str | None:
        """The installed version; None when it is not there."""
        try:
            return self.version_of(name)
        except metadata.PackageNotFoundError:
            return None

    def range(self, name: str) -> str:
        """The versions of a package that studbook works with, as its requirements say; nothing if they do not."""
        plain = [each for each in self._demands(_US) if each.marker is None]
        return next((str(each.specifier) for each in plain if canonicalize_name(each.name) == name), "")

    @property
    def extras(self) -> str:
        """The extras that are in use, as pip takes them: `[azure]`, or nothing."""
        return f"[{','.join(self._extras)}]" if self._extras else ""

    @property
    def _extras(self) -> list[str]:
        return [extra for package, extra in _EXTRA_OF.items() if self.version(package)]

    def misfits(self) -> Iterator[str]:
        """Each demand that is not met, in words."""
        if self.wanted_python and not SpecifierSet(self.wanted_python).contains(self.python):
            yield f"studbook needs Python {self.wanted_python}, this is {self.python}"
        for name in (_US, *_PAIRS):
            for demand in self._demands(name):
                yield from self._misfit(name, demand)

    def _demands(self, name: str) -> list[Requirement]:
        if self.version(name) is None:
            return []
        found = [Requirement(text) for text in self.demands_of(name) or ()]
        return [each for each in found if name == _US or canonicalize_name(each.name) in _PAIRS[name]]

    def _misfit(self, name: str, demand: Requirement) -> Iterator[str]:
        extras = self._extras if name == _US else []
        if demand.marker and not any(demand.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            return
        installed = self.version(canonicalize_name(demand.name))
        if installed is None:
            yield f"{name} needs {demand.name}{demand.specifier}, which is not installed"
        elif not demand.specifier.contains(installed, prereleases=True):
            yield f"{name} needs {demand.name}{demand.specifier}, and {installed} is installed"


class InstallationCheckup:
    """Whether the versions that are installed work together."""

    def __init__(self, installation: Installation | None = None) -> None:
        self._installation = installation or Installation()

    def checks(self) -> tuple[Check, ...]:
        """Versions."""
        return (Check("versions", self._versions),)

    def _versions(self) -> Finding:
        here = self._installation
        known = [
            f"{name} {version}{f' ({wanted})' if (wanted := here.range(name)) else ''}"
            for name in _TOLD
            if (version := here.version(name))
        ]
        found = ", ".join([f"Python {here.python}", *known])
        misfits = list(here.misfits())
        if misfits:
            return problem(
                f"{found}; {'; '.join(misfits)}",
                f"install versions that fit: `pip install '{_US}{here.extras}'`, in an environment of its own",
            )
        return ok(found)
