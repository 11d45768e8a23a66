"""Takes secrets out of text that will be logged, stored or shown."""

from __future__ import annotations

import base64
import binascii
import re

_MASK = "***"
_MASKED = rf"\g<head>{_MASK}"

# The password ends at the last `@` before the path, since people forget to encode an `@` in it.
_URI_PASSWORD = re.compile(r"(?P<head>\b[a-zA-Z][a-zA-Z0-9+._-]{0,30}://[^\s/:@]*:)(?!\*{3})[^\s/]+(?=@)")
_HEADER = re.compile(
    r"(?P<head>\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|digest|token)\s+)?)[^\s\"',;]+",
    re.IGNORECASE,
)
# A token has a digit or is long: `bearer instruments` is English.
_BEARER = re.compile(r"(?P<head>\b[Bb](?:earer|EARER)\s+)(?=\S*[0-9]|\S{20})[A-Za-z0-9._~+/=-]{8,}")
_BASIC = re.compile(r"(?P<head>\bBasic\s+)(?P<pair>[A-Za-z0-9+/]{4,}={0,2})(?![A-Za-z0-9+/=])")
_JWT = re.compile(r"(?P<head>)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?")
_QUERY = re.compile(
    r"(?P<head>[?&;](?:sig|sv|se|token|access_token|code|password|secret|client_secret|key|api_key"
    r"|x-(?:amz|goog)-(?:signature|credential|security-token))=)[^&\s\"']+",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"(?P<head>(?<![\w-])(?:[\w-]{0,60}(?:password|passwd|passphrase|secret)|(?:[\w-]{0,60}[_-])?"
    r"(?:pwd|api[_-]?key|(?:account|access|private|secret)[_-]?key|shared[_-]?access[_-]?key"
    r"|(?:access|auth|refresh|id|bearer|api|session|security|sas|hf|hub|github|gitlab|tracking)[_-]?token"
    r"|(?<![_-])token))"
    r"\b[\"']?\s*[=:]\s*)"
    r"(?:(?P<quote>[\"'])(?:\\.|(?!(?P=quote))[^\\])+(?P=quote)|[\"']?[^\s\"',;&]+)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with passwords in URIs, signed query values, tokens and assigned secrets replaced by `***`."""
    text = _URI_PASSWORD.sub(_MASKED, text)
    text = _BASIC.sub(_without_credentials, text)
    for pattern in (_HEADER, _BEARER, _JWT, _QUERY):
        text = pattern.sub(_MASKED, text)
    return _ASSIGNED.sub(_without_value, text)


def _without_credentials(found: re.Match[str]) -> str:
    """`Basic` followed by what decodes to `user:password`; else it is a word like any other."""
    try:
        decoded = base64.b64decode(found["pair"], validate=True)
    except binascii.Error:
        return found[0]
    return f"{found['head']}{_MASK}" if b":" in decoded else found[0]


def _without_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found['head']}{quote}{_MASK}{quote}"
