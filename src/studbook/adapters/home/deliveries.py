"""Delivering files on disk: stage beside the destination, publish by rename, keep a receipt file."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from ...domain.acquisition import Receipt
from ...domain.artifact_names import DELIVERY_FOLDER
from ...domain.errors import AcquireBusy, ArtifactInvalid, IntegrityError, NoSpace
from ...domain.manifest import ArtifactManifest
from ...domain.tree_view import TreeView
from ...ports.delivery_folder import Delivery, Occupancy
from ..file_copy import hash_file, sync_file, sync_folder
from .local_tree import LocalTree
from .receipt_file import ReceiptFile, file_stamp
from .swap import remove, swap_in

DELIVERED_NS = 946_684_800 * 10**9
"""The time of every delivered file, 2000-01-01 UTC: any later edit shows."""


class HomeDeliveries:
    """Destinations on local disks. `min_free` bytes stay free beside what is staged.

    What lies below `<home>/models` counts as ours.
    """

    def __init__(self, home: Path, *, min_free: int = 1 << 30) -> None:
        self._models = home.absolute() / "models"
        self._min_free = min_free

    @contextmanager
    def hold(self, destination: Path, timeout_s: float) -> Iterator[None]:
        """See `ports.delivery_folder.DeliveryFolder.hold`."""
        folder = _beside(destination)
        folder.mkdir(parents=True, exist_ok=True)
        holder = folder / f"{destination.name}.holder"
        try:
            with FileLock(folder / f"{destination.name}.lock", timeout=timeout_s):
                holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
                _undo_half_done(destination)
                yield
        except Timeout:
            who = holder.read_text() if holder.exists() else "another process"
            raise AcquireBusy(
                f"{who} is acquiring {destination}", cure="wait for it, or end it", holder=who
            ) from None

    def delivered(self, destination: Path) -> Delivery | None:
        """The destination's receipt file, if it has one."""
        record = _read_record(destination)
        return None if record is None else Delivery(record.manifest, record.receipt)

    def occupancy(self, destination: Path, manifest: ArtifactManifest) -> Occupancy:
        """See `ports.delivery_folder.DeliveryFolder.occupancy`."""
        if not os.path.lexists(destination):
            return Occupancy.ABSENT
        record = _read_record(destination)
        if not destination.is_symlink() and _has_shape(destination, manifest):
            if record is not None and _is_unread_same(record, destination, manifest):
                return Occupancy.SAME_UNREAD
            if _has_bytes(destination, manifest):
                return Occupancy.SAME
        ours = record is not None or self._models in destination.parents
        return Occupancy.OURS if ours else Occupancy.FOREIGN

    @contextmanager
    def stage(self, destination: Path, size: int) -> Iterator[Path]:
        """See `ports.delivery_folder.DeliveryFolder.stage`."""
        folder = _beside(destination)
        free = shutil.disk_usage(folder).free
        if free < size + self._min_free:
            raise NoSpace(
                f"{size + self._min_free} bytes are needed at {destination.parent}, {free} are free",
                cure="free space, or acquire to another disk",
                needed=size + self._min_free,
                free=free,
            )
        stage = folder / f"stage-{secrets.token_hex(8)}"
        stage.mkdir()
        try:
            (stage / "owner").write_text(f"process {os.getpid()} on {socket.gethostname()}")
            content = stage / "content"
            content.mkdir()
            yield content / destination.name
        finally:
            shutil.rmtree(stage, ignore_errors=True)

    def view(self, path: Path, manifest: ArtifactManifest) -> TreeView:
        """The artifact's files at a path."""
        return _view(path, manifest)

    def publish(self, staged: Path, destination: Path, manifest: ArtifactManifest) -> None:
        """See `ports.delivery_folder.DeliveryFolder.publish`."""
        if not _has_shape(staged, manifest):
            raise IntegrityError(
                f"what was fetched of {manifest.name} is not what its manifest lists",
                cure="fetch it again; if it stays so, store it again",
            )
        tree = _view(staged, manifest)
        for file in manifest.files:
            _finish_file(tree.file(file.path), executable=file.exec)
        if staged.is_dir():
            for folder, _, _ in os.walk(staged):
                Path(folder).chmod(0o755)
                sync_folder(Path(folder))
        swap_in(staged, destination, aside=_aside(destination))
        sync_folder(destination.parent)

    def record(self, destination: Path, manifest: ArtifactManifest, receipt: Receipt) -> None:
        """See `ports.delivery_folder.DeliveryFolder.record`."""
        tree = _view(destination, manifest)
        stamps = {path: file_stamp(tree.file(path)) for path in tree.paths}
        content = ReceiptFile(manifest=manifest, receipt=receipt, stamps=stamps).to_bytes()
        target = _record_path(destination)
        partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        sync_folder(target.parent)


def _beside(destination: Path) -> Path:
    return destination.parent / DELIVERY_FOLDER


def _record_path(destination: Path) -> Path:
    return _beside(destination) / f"{destination.name}.json"


def _aside(destination: Path) -> Path:
    return _beside(destination) / f"old-{destination.name}"


def _undo_half_done(destination: Path) -> None:
    """A crash between two renames leaves the old files aside: put them back, unless new ones are there."""
    aside = _aside(destination)
    if not os.path.lexists(aside):
        return
    if os.path.lexists(destination):
        remove(aside)
    else:
        aside.rename(destination)


def _read_record(destination: Path) -> ReceiptFile | None:
    try:
        return ReceiptFile.model_validate_json(_record_path(destination).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _view(path: Path, manifest: ArtifactManifest) -> LocalTree:
    return LocalTree(path, manifest.files[0].path if manifest.is_single_file else None)


def _has_shape(path: Path, manifest: ArtifactManifest) -> bool:
    """Whether names and sizes are the manifest's."""
    if path.is_file() is not manifest.is_single_file:
        return False
    try:
        tree = _view(path, manifest)
    except (ArtifactInvalid, NotADirectoryError, FileNotFoundError):
        return False
    return tree.paths == tuple(file.path for file in manifest.files) and all(
        tree.size(file.path) == file.size for file in manifest.files
    )


def _has_bytes(path: Path, manifest: ArtifactManifest) -> bool:
    tree = _view(path, manifest)
    return all(hash_file(tree.file(file.path)).sha256 == file.sha256 for file in manifest.files)


def _is_unread_same(record: ReceiptFile, path: Path, manifest: ArtifactManifest) -> bool:
    if record.manifest.content_digest != manifest.content_digest:
        return False
    tree = _view(path, manifest)
    return all(record.stamps.get(each) == file_stamp(tree.file(each)) for each in tree.paths)


def _finish_file(path: Path, *, executable: bool) -> None:
    os.utime(path, ns=(DELIVERED_NS, DELIVERED_NS))
    path.chmod(0o555 if executable else 0o444)
    sync_file(path)
