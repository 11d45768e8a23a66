"""Where a workspace can be struck, and what goes wrong there beside what happens to every server."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import quote

from faults.http_faults import Answer, Exchange, Fault, Reply

TOKENS = "/oauth2/v2.0/token"
"""Where access tokens come from."""
REGISTRATION = "/artifacts/batch/metadata"
"""Where paths are taken for files, before their bytes are sent; the body holds the path."""
LISTING = r"/artifacts(\?|$)"
LINKS = "/artifacts/contentinfo"
"""Where signed addresses for reading are given."""
BLOBS = "^/azureml/"
"""All bytes of files, there and back."""

_SIGNED_UNTIL = re.compile(rb"([?&]se=)[^&\"]+")


def blob(path: str) -> str:
    """Where the bytes of the file at a run's path go, and of no other revision of it."""
    return rf"{BLOBS}ExperimentRun/dcid\.[^/]+/{re.escape(quote(path))}\?"


def refusal(status: int, code: str, *, retry_after_s: int | None = None) -> Answer:
    """The workspace does not do it, and says so in Azure's shape; in front of MLflow only the status is of account."""
    headers = {"Content-Type": "application/json"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    body = {"Error": {"Code": code, "Message": "made-up"}, "Correlation": {}, "statusCode": status}
    return Answer(status, headers, json.dumps(body).encode())


def blob_refusal(status: int, code: str) -> Answer:
    """The blob store does not do it: AuthenticationFailed (403), BlobNotFound (404), ServerBusy (503)."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>made-up</Message></Error>'
    )
    return Answer(status, {"Content-Type": "application/xml", "x-ms-error-code": code}, body.encode())


@dataclass(frozen=True)
class ExpiredLink(Fault):
    """The signed addresses of the answer have expired when they arrive: for `REGISTRATION` and `LINKS`."""

    def after(self, exchange: Exchange, reply: Reply) -> None:
        body = _SIGNED_UNTIL.sub(rb"\g<1>2000-01-01T00%3A00%3A00Z", reply.body)
        exchange.send(Reply(reply.status, reply.headers, body))
