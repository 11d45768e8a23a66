"""The profiles of checkpoints and models: which files make weights that can be loaded."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase

from .tree_view import InvalidReason, TreeView, read_json, read_object, refuse

MAX_SAFETENSORS_HEADER = 100_000_000
"""Bytes; the limit of the safetensors format."""

_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.bin")
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SHARD = re.compile(r"(model|pytorch_model)-\d{5}-of-\d{5}\.(safetensors|bin)")
_SINGLE = ("safetensors", "pt", "pth", "ckpt", "bin", "joblib", "pkl", "h5", "keras")
KNOWN_WEIGHTS = ", ".join(f".{suffix}" for suffix in (*_SINGLE, "onnx")) + ", or a Transformers folder"
"""By what a file is known as weights, for people."""

_ZIP_BASED = ("pt", "pth", "bin", "keras")
_LOCAL_HEADER = 30
"""Bytes of a zip member's local header before its name and extra field (APPNOTE 4.3.7)."""


def check_profile(tree: TreeView, profile: str | None) -> str:
    """The profile that holds: the given one, else the first whose sign is there.

    A failure is not retried under a laxer profile. Raises ArtifactInvalid.
    """
    if profile is None:
        profile = next((name for name, (sign, _) in _PROFILES.items() if sign(tree)), None)
        if profile is None:
            refuse(InvalidReason.UNRECOGNISED, "", f"no file is known as weights: {KNOWN_WEIGHTS}")
    elif profile not in _PROFILES:
        refuse(InvalidReason.UNRECOGNISED, "", f"there is no profile {profile!r}, but {', '.join(_PROFILES)}")
    _PROFILES[profile][1](tree)
    return profile


def check_weights(tree: TreeView, path: str) -> None:
    """Raise ArtifactInvalid unless the weights file is whole, as far as its format tells."""
    if tree.size(path) == 0:
        refuse(InvalidReason.EMPTY, path, "the file is empty")
    suffix = path.rsplit(".", 1)[-1]
    if suffix == "safetensors":
        _check_safetensors(tree, path)
    elif suffix in _ZIP_BASED and tree.read(path, 0, 2) == b"PK":
        _check_zip(tree, path)


def _is_transformers(tree: TreeView) -> bool:
    return any(p == "config.json" or p in _WEIGHTS + _INDEXES or _SHARD.fullmatch(p) for p in tree.paths)


def _check_transformers(tree: TreeView) -> None:
    if "config.json" not in tree.paths:
        refuse(InvalidReason.MISSING_CONFIG, "config.json", "the file is missing")
    read_object(tree, "config.json")
    weights = [path for path in _WEIGHTS if path in tree.paths]
    indexes = [path for path in _INDEXES if path in tree.paths]
    if not weights and not indexes:
        refuse(InvalidReason.MISSING_WEIGHTS, "", f"there is none of {', '.join(_WEIGHTS)}, nor an index")
    for path in weights:
        check_weights(tree, path)
    for path in indexes:
        _check_index(tree, path)


def _check_index(tree: TreeView, path: str) -> None:
    index = read_json(tree, path)
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(index, dict) or not isinstance(shards, dict) or not shards:
        refuse(InvalidReason.BAD_INDEX, path, "there is no weight_map")
    names = set()
    for name in shards.values():
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\\" in name:
            refuse(InvalidReason.BAD_INDEX, path, "weight_map names something else than files beside it")
        names.add(name)
    for name in sorted(names):
        if name not in tree.paths:
            refuse(InvalidReason.MISSING_SHARD, name, f"the file is missing, but {path} names it")
        check_weights(tree, name)
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    if total is None:
        return
    if isinstance(total, bool) or not isinstance(total, int | float):
        refuse(InvalidReason.BAD_INDEX, path, "metadata.total_size is no number")
    if not sum(tree.size(name) for name in names) >= total:
        refuse(InvalidReason.TRUNCATED, path, "the shards are smaller than metadata.total_size")


def _onnx_files(tree: TreeView) -> list[str]:
    return [path for path in tree.paths if fnmatchcase(path, "*.onnx")]


def _check_onnx(tree: TreeView) -> None:
    files = _onnx_files(tree)
    if not files:
        refuse(InvalidReason.MISSING_WEIGHTS, "", "there is no .onnx file")
    for path in files:
        check_weights(tree, path)


def _single_files(tree: TreeView) -> list[str]:
    return [path for path in tree.paths if any(fnmatchcase(path, f"*.{suffix}") for suffix in _SINGLE)]


def _check_single(tree: TreeView) -> None:
    files = _single_files(tree)
    if not files:
        refuse(InvalidReason.MISSING_WEIGHTS, "", "there is no weights file")
    for path in files:
        check_weights(tree, path)


_PROFILES: dict[str, tuple[Callable[[TreeView], object], Callable[[TreeView], None]]] = {
    "transformers": (_is_transformers, _check_transformers),
    "onnx": (_onnx_files, _check_onnx),
    "single": (_single_files, _check_single),
}


def _check_safetensors(tree: TreeView, path: str) -> None:
    """Format: https://github.com/huggingface/safetensors#format."""
    size = tree.size(path)
    length = int.from_bytes(tree.read(path, 0, 8), "little")
    if size < 8 or not 0 < length <= min(MAX_SAFETENSORS_HEADER, size - 8):
        refuse(InvalidReason.TRUNCATED, path, "the header is not whole")
    try:
        header = json.loads(tree.read(path, 8, length).decode())
    except (ValueError, RecursionError):
        refuse(InvalidReason.BAD_JSON, path, "the header is not JSON")
    if not isinstance(header, dict):
        refuse(InvalidReason.NOT_AN_OBJECT, path, "the header is no JSON object")
    end = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        match tensor:
            case {"data_offsets": [int() as start, int() as stop]} if 0 <= start <= stop:
                end = max(end, stop)
            case _:
                refuse(InvalidReason.BAD_JSON, path, "a tensor of the header has no offsets")
    if 8 + length + end != size:
        refuse(
            InvalidReason.TRUNCATED, path, f"the file has {size} bytes, its header says {8 + length + end}"
        )


def _check_zip(tree: TreeView, path: str) -> None:
    size = tree.size(path)
    try:
        with zipfile.ZipFile(_RangedFile(tree, path)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, _BeforeStart):
        refuse(InvalidReason.TRUNCATED, path, "the archive has no readable directory")
    if not members:
        refuse(InvalidReason.EMPTY, path, "the archive is empty")
    # A cut archive may still end with the directory of an archive inside it: ours begins at byte 0.
    if min(member.header_offset for member in members) != 0:
        refuse(InvalidReason.TRUNCATED, path, "the archive's directory is of another archive")
    for member in members:
        header = tree.read(path, member.header_offset, _LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
            refuse(InvalidReason.TRUNCATED, path, "a member of the archive is missing")
        name_and_extra = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        if member.header_offset + _LOCAL_HEADER + name_and_extra + member.compress_size > size:
            refuse(InvalidReason.TRUNCATED, path, "a member of the archive ends outside of it")


class _BeforeStart(OSError):
    """A seek before the start; zipfile expects an OSError there."""


class _RangedFile(io.BufferedIOBase):
    """A seekable file over ranged reads, as far as zipfile needs one."""

    def __init__(self, tree: TreeView, path: str) -> None:
        self._tree = tree
        self._path = path
        self._size = tree.size(path)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise _BeforeStart
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        content = self._tree.read(self._path, self._position, None if size is None or size < 0 else size)
        self._position += len(content)
        return content
