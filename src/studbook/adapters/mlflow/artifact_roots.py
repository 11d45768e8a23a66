"""Where the experiments of a backend keep their files, and whether this machine can read and write there."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...ports.checkup import Finding, Outcome, ok, problem, warning
from ..system.file_system import existing, is_writable
from .backend import LONGEST_LOCATION

_SERVED = frozenset({"mlflow-artifacts", "http", "https"})
_CLIENTS = {
    "s3": ("boto3", "boto3"),
    "gs": ("google.cloud.storage", "google-cloud-storage"),
    "wasb": ("azure.storage.blob", "azure-storage-blob"),
    "wasbs": ("azure.storage.blob", "azure-storage-blob"),
    "abfss": ("azure.storage.filedatalake", "azure-storage-file-datalake"),
    "hdfs": ("pyarrow", "pyarrow"),
    "r2": ("boto3", "boto3"),
    "b2": ("boto3", "boto3"),
}
"""The module that MLflow's client of a store imports, and the package that brings it."""


def roots_finding(locations: Iterable[str], *, here: bool) -> Finding:
    """Whether experiments that keep their files at these locations are served from this machine.

    `here`: the backend is on this machine, so that a missing folder will be made; elsewhere it may be another's.
    """
    places = sorted(set(locations))
    if not places:
        return ok("no experiment yet; new ones get a place of their own")
    wrong = [(place, finding) for place in places if (finding := _wrong(place, here=here)) is not None]
    if not wrong:
        kinds = sorted({urlsplit(place).scheme or "plain files" for place in places})
        return ok(f"places of artifacts: {len(places)}, all within reach ({', '.join(kinds)})")
    place, worst = next((each for each in wrong if each[1].outcome is Outcome.PROBLEM), wrong[0])
    others = f" (places with something wrong: {len(wrong)})" if len(wrong) > 1 else ""
    return Finding(worst.outcome, f"{place}: {worst.found}{others}", worst.cure)


def lengths_finding(locations: Iterable[str], *, enforced: bool) -> Finding:
    """Whether a run's artifact URI below each location fits its column, which the database may have `enforced`."""
    longest = max(locations, key=len, default="")
    if len(longest) <= LONGEST_LOCATION:
        return ok(
            f"the longest artifact location has {len(longest)} characters of the {LONGEST_LOCATION} that fit"
        )
    return Finding(
        Outcome.PROBLEM if enforced else Outcome.WARNING,
        f"the artifact location {longest} has {len(longest)} characters; PostgreSQL takes {LONGEST_LOCATION}, "
        "and creates no run in such an experiment",
        "give a shorter artifact root, and make the experiment anew",
    )


def _wrong(place: str, *, here: bool) -> Finding | None:
    scheme = urlsplit(place).scheme
    if scheme in _SERVED:
        return None
    if scheme in ("", "file"):
        return _wrong_folder(Path(unquote(urlsplit(place).path)) if scheme else Path(place), here=here)
    if scheme in _CLIENTS and not _is_installed(_CLIENTS[scheme][0]):
        package = _CLIENTS[scheme][1]
        return problem(f"{package} is not installed, and reaches {scheme}: stores", f"pip install {package}")
    return None


def _wrong_folder(folder: Path, *, here: bool) -> Finding | None:
    if not folder.is_absolute():
        return warning(
            "a relative folder, which is another one for every program",
            "make the experiment anew with an absolute artifact location",
        )
    if not here and existing(folder.parent) != folder.parent:
        return problem(
            "a folder that this machine does not see",
            "mount the folder here under the same path; or have an MLflow server serve the files itself, by its "
            "option --artifacts-destination",
        )
    if not is_writable(folder):
        return problem("a folder that this user cannot write", "give it to the users of the tracking store")
    return None


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent package
        return False
