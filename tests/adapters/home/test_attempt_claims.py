from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from studbook.adapters.home.attempt_claims import HomeAttemptClaims
from studbook.domain.errors import HomeUnusable
from studbook.ports.attempt_claims import AttemptClaims
from studbook.ports.contract.attempt_claims import AttemptClaimsContract

_CLAIMER = """
import sys, pathlib
from studbook.adapters.home.attempt_claims import HomeAttemptClaims
claims = HomeAttemptClaims(pathlib.Path(sys.argv[1]))
sys.stdin.readline()
print(*(claims.claim(b"subject", 1) for _ in range(50)))
"""


class TestHomeAttemptClaims(AttemptClaimsContract):
    @pytest.fixture
    def open_claims(self, tmp_path: Path) -> Callable[[], AttemptClaims]:
        return lambda: HomeAttemptClaims(tmp_path / "home")


def test_processes_never_get_the_same_number(tmp_path: Path) -> None:
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", _CLAIMER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    printed = [claimer.communicate(timeout=60)[0] for claimer in claimers]
    assert sorted(int(word) for text in printed for word in text.split()) == list(range(1, 151))


def test_a_claim_is_a_file_named_by_the_subject(tmp_path: Path) -> None:
    HomeAttemptClaims(tmp_path).claim(b"subject", 3)
    name = hashlib.sha256(b"subject").hexdigest()[:16]
    assert [path.name for path in (tmp_path / "claims").iterdir()] == [f"{name}-3"]


def test_a_home_below_a_file_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="takes no claims"):
        HomeAttemptClaims(tmp_path / "file").claim(b"subject", 1)
