"""Takes secrets out of text that will be logged, stored or shown."""

from __future__ import annotations

import re

_MASK = "***"
_URI_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
_QUERY = re.compile(
    r"(?P<head>[?&;](?:sig|sv|se|token|access_token|code|password|secret|client_secret|key|api_key)=)[^&\s\"']+",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"(?P<head>\b(?:password|passwd|secret|token|api[_-]?key|account[_-]?key|sharedaccesskey)\b[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"',;&]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<head>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"(?P<head>)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")


def redact(text: str) -> str:
    """The text with passwords in URIs, signed query values, tokens and assigned secrets replaced by `***`."""
    text = _URI_PASSWORD.sub(rf"\g<head>:{_MASK}@", text)
    for pattern in (_BEARER, _JWT, _QUERY, _ASSIGNED):
        text = pattern.sub(rf"\g<head>{_MASK}", text)
    return text
