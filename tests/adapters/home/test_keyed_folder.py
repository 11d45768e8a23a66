from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.home.keyed_folder import keyed_folder
from studbook.domain.errors import HomeUnusable
from studbook.domain.keys import StudyKey

KEY = StudyKey("sk3:" + "ab" * 32)


def test_a_folder_is_named_by_16_digits_and_holds_them_all(tmp_path: Path) -> None:
    folder = keyed_folder(tmp_path / "studies", KEY)
    assert folder == tmp_path / "studies" / "abababababababab"
    assert (folder / "key").read_text().strip() == KEY
    assert keyed_folder(tmp_path / "studies", KEY) == folder


def test_the_folder_of_another_key_is_not_used(tmp_path: Path) -> None:
    keyed_folder(tmp_path, KEY)
    other = StudyKey("sk3:" + "ab" * 8 + "cd" * 24)
    with pytest.raises(HomeUnusable, match="belongs to the key") as caught:
        keyed_folder(tmp_path, other)
    assert KEY in caught.value.problem
    assert other in caught.value.problem


def test_a_folder_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="cannot be used"):
        keyed_folder(tmp_path / "file", KEY)
