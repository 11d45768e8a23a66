"""The bytes of files, there and back by signed addresses, in pieces that our own time-outs are good for."""

from __future__ import annotations

import logging
from typing import IO, TYPE_CHECKING, Any

from ...domain.errors import ArtifactNotFound, TrackingUnavailable
from ...ports.time_left import time_left_s
from ..mlflow.patience import ONCE, Patience
from ..mlflow.rest_calls import timeouts_s
from .file_errors import blob_errors, without_queries

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ExponentialRetry

_PIECE = 4 << 20
_HTTP_LOGGER = "urllib3.connectionpool"


class Blobs:
    """Thread-safe. `timeout_s` is how long the blob store may stay silent, and take for a piece of 4 MiB. Pieces
    are checked on their way by their MD5.

    Pieces of an upload are sent again as `patience` says, unless somebody waits; a download is tried once.
    """

    def __init__(self, *, timeout_s: float, patience: Patience) -> None:
        self._timeout_s = timeout_s
        self._patience = patience
        logging.getLogger(_HTTP_LOGGER).addFilter(_unsigned)

    def upload(self, link: str, content: IO[bytes], size: int, path: str) -> None:
        """Send the bytes of a file whose path was taken for it, and ask how many of them arrived."""
        with self._blob(link, repeated=time_left_s() is None) as blob:
            with blob_errors(path):
                blob.upload_blob(
                    content, length=size, overwrite=True, max_concurrency=1, validate_content=True
                )
            arrived = _size(blob, path)
        if arrived != size:
            raise TrackingUnavailable(
                f"of the {size} bytes of {path}, {arrived} arrived",
                cure="store the files again: they get the next free name",
                path=path,
            )

    def download(self, link: str, target: IO[bytes], path: str) -> None:
        """Write a file's bytes to `target`. Raises ArtifactNotFound."""
        with self._blob(link, repeated=False) as blob, blob_errors(path):
            arriving = blob.download_blob(max_concurrency=1, validate_content=True)
            arriving.readinto(target)
        if target.tell() != arriving.size:
            raise TrackingUnavailable(
                f"of the {arriving.size} bytes of {path}, {target.tell()} arrived", cure="repeat", path=path
            )

    def _blob(self, link: str, *, repeated: bool) -> BlobClient:
        from azure.storage.blob import BlobClient

        _, silence_s = timeouts_s(self._timeout_s)
        return BlobClient.from_blob_url(
            link,
            # A piece is sent under the first of these.
            connection_timeout=silence_s,
            read_timeout=silence_s,
            max_single_put_size=_PIECE,
            max_block_size=_PIECE,
            max_single_get_size=_PIECE,
            max_chunk_get_size=_PIECE,
            retry_policy=_repetitions(self._patience if repeated else ONCE),
        )


def _unsigned(record: logging.LogRecord) -> bool:
    """At its finest level the HTTP library logs every address, with its signature."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            without_queries(said) if isinstance(said, str) and "sig=" in said else said
            for said in record.args
        )
    return True


def _repetitions(patience: Patience) -> ExponentialRetry:
    from azure.storage.blob import ExponentialRetry

    class Repetitions(ExponentialRetry):
        """The vendor's, with our waits: its own are no shorter than 12 seconds."""

        def get_backoff_time(self, settings: dict[str, Any]) -> float:
            return patience.wait_s(settings["count"])

    return Repetitions(retry_total=patience.attempts - 1)


def _size(blob: BlobClient, path: str) -> int:
    try:
        with blob_errors(path):
            return int(blob.get_blob_properties().size)
    except ArtifactNotFound:
        return 0
