"""Redaction: no secret gets through, and nothing else changes."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.redaction import redact

_LETTERS = string.ascii_letters + string.digits
_secret = st.text(_LETTERS, min_size=12, max_size=40).map(lambda text: f"9{text}Q7")
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"

SHAPES = [
    "postgresql://me:{}@host:5432/db",
    "redis://:{}@host",
    "mysql+pymysql://me:p@{}@host/db",
    "https://acc.blob.core.windows.net/c/f?sv=2024&se=2025&sig={}&sp=r",
    "GET https://host/path?token={}",
    "https://bucket/f?X-Amz-Signature={}&X-Amz-Date=1",
    "Authorization: Bearer {}",
    "{{'Authorization': 'Bearer {}', 'x': 1}}",
    "authorization=Token {}",
    "the header was bearer {}",
    "password={}",
    "Password: {}",
    "PGPASSWORD={} psql",
    "MLFLOW_TRACKING_PASSWORD={}",
    "AZURE_CLIENT_SECRET={}",
    "HF_TOKEN='{}'",
    '{{"client_secret": "{}", "a": 1}}',
    "api-key: {}",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x",
    "Server=s;Uid=u;Pwd={};",
    'password="with {} in the middle"',
    'password="with \\" and {}"',
]


@pytest.mark.parametrize("shape", SHAPES)
@given(secret=_secret)
def test_a_secret_does_not_get_through(shape: str, secret: str) -> None:
    shown = redact(f"cannot connect: {shape.format(secret)} (after 3 tries)")
    assert secret not in shown
    assert "***" in shown
    assert shown.startswith("cannot connect: ")


def test_a_jwt_and_basic_credentials_do_not_get_through() -> None:
    assert redact(f"got {_JWT}, again") == "got ***, again"
    pair = base64.b64encode(b"me:hush").decode()
    assert redact(f"Basic {pair}") == "Basic ***"
    assert redact(f"Authorization: Basic {pair}") == "Authorization: Basic ***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:hush@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("https://x/y?a=1&sig=hush&b=2", "https://x/y?a=1&sig=***&b=2"),
        ("password='hush now', user='me'", "password='***', user='me'"),
        ("a;AccountKey=aGk=;b", "a;AccountKey=***;b"),
        ("from https://a:b@c to https://d:e@f", "from https://a:***@c to https://d:***@f"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ValueError: lr must be positive",
        "https://host:8080/path@2x.png",
        "http://127.0.0.1:5000/#/experiments/1/runs/6f9619ff8b86d011b42d00c04fc964ff",
        "sqlite:////home/me/mlflow.db",
        "git@github.com:me/repo.git",
        "me@host.org wrote: see http://host/a",
        "a Basic configuration is missing",
        "Basic DataFrame support",
        "bearer instruments were traded",
        "max_tokens=512, pad_token=<pad>, eos_token: </s>",
        "KeyError: 'study_key'",
        "rk3:" + "0a" * 32,
        "sha256:" + "f0" * 32,
        "the secretary: Ms. Smith",
        "no password was given",
        "keyboard=qwerty, monkey: george, key=3",
    ],
)
def test_text_without_secrets_stays(text: str) -> None:
    assert redact(text) == text


_WORDS = r"""password token Bearer Basic authorization sig :// : @ = ? & ; " ' \ *** http me hush1234 _ - / . secret
eyJhbGciOiJI c2VjcmV0OnM="""
_words = st.sampled_from([*_WORDS.split(), " ", "\n"])


@given(st.lists(_words, max_size=14).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters=":=")))
def test_text_without_colons_and_equal_signs_has_almost_nothing_to_hide(text: str) -> None:
    assert redact(text) == text or any(word in text.lower() for word in ("bearer", "basic", "eyj"))


@pytest.mark.parametrize(
    "text", ["a-" * 50_000, "://a:" * 20_000, "http://u:" + "@" * 50_000, "bearer " * 20_000]
)
def test_long_text_takes_no_time(text: str) -> None:
    assert len(redact(text)) <= len(text)
