"""What is told of a path's disk: by tables of mounts that a test writes, and by this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from studbook.adapters.system.file_system import (
    existing,
    file_system_of,
    free_bytes,
    is_network,
    is_writable,
)

_MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:20 / {place} rw shared:2 master:1 - tmpfs tmpfs rw
24 23 0:21 / {place}/with\\040space rw - nfs4 server:/x rw
25 22 0:22 / {place}/covered rw - ext4 /dev/sdb rw
26 25 0:23 / {place}/covered rw - fuse.sshfs host:/x rw
no mount
"""

# Permissions hold nobody back who is root.
_AS_NOBODY = """
import os, sys
from pathlib import Path
from studbook.adapters.system.file_system import is_writable
if os.geteuid() == 0:
    os.setuid(65534)
print(*[is_writable(Path(each)) for each in sys.argv[1:]])
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "tmpfs"),
        ("deeper/still", "tmpfs"),
        ("with space/mlflow.db", "nfs4"),
        ("with spaces", "tmpfs"),
        ("covered/mlflow.db", "fuse.sshfs"),
        ("..", "ext4"),
    ],
)
def test_the_nearest_mount_above_counts_and_the_last_one_there(tmp_path: Path, path: str, kind: str) -> None:
    place = tmp_path / "place"
    mounts = tmp_path / "mounts"
    mounts.write_text(_MOUNTS.format(place=place), encoding="utf-8")
    assert file_system_of(place / path, mounts) == kind


def test_a_system_without_a_table_of_mounts_does_not_tell(tmp_path: Path) -> None:
    assert file_system_of(tmp_path, tmp_path / "none") is None
    assert not is_network(None)


@pytest.mark.parametrize(
    ("kind", "network"),
    [("nfs", True), ("nfs4", True), ("cifs", True), ("smb3", True), ("fuse.sshfs", True), ("lustre", True)]
    + [(kind, False) for kind in ("ext4", "xfs", "tmpfs", "overlay", "btrfs", "zfs", "apfs", "fuse.ext4")],
)
def test_what_lives_on_another_machine_is_known(kind: str, network: bool) -> None:
    assert is_network(kind) is network


def test_what_is_not_there_is_told_by_what_is_above(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert is_writable(tmp_path / "a" / "b")
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.5)
    (tmp_path / "file").touch()
    assert is_writable(tmp_path / "file")
    assert not is_writable(tmp_path / "file" / "below")


def test_permissions_are_obeyed(open_folder: Path) -> None:
    places = {"free": 0o777, "locked": 0o555, "closed": 0o700}
    for name, mode in places.items():
        folder = open_folder / name
        folder.mkdir()
        folder.chmod(mode)
    (open_folder / "free" / "file").touch(0o444)
    asked = [
        open_folder / each for each in ("free", "locked", "free/new", "locked/new", "free/file", "closed/a/b")
    ]
    told = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, *map(str, asked)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["True", "False", "True", "False", "False", "False"]
