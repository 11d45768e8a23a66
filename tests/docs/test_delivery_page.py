"""The commands of docs/delivery.md, on a home that has something to deliver."""

from __future__ import annotations

import shutil
from pathlib import Path

from docs.pages import DOCS, Page, run
from studbook.config.settings import load_settings
from studbook.entrypoints.cli.verbs import VERBS

_RECORD = """
from studbook import Studbook
with Studbook.open(delivery="manual") as book, book.run("recorded") as run:
    run.log_metrics({"loss": 0.5})
"""


def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "record.py").write_text(_RECORD, encoding="utf-8")
    assert run(tmp_path, "python record.py").returncode == 0
    commands = Page.of("delivery.md").commands
    ends = {}
    for command in commands:
        if command.startswith("rsync"):
            left_out = shutil.ignore_patterns("delivery")
            shutil.copytree(tmp_path / ".studbook", tmp_path / "copied", ignore=left_out)
            continue
        done = run(tmp_path, command)
        assert "Traceback" not in done.stderr, command
        ends[command] = done.returncode
    assert ends.pop("studbook status") == 4
    assert len(ends) > 5
    assert set(ends.values()) == {0}, ends
    assert "recorded" in run(tmp_path, commands[-1]).stdout


def test_the_page_names_commands_and_settings_that_there_are(tmp_path: Path) -> None:
    text = (DOCS / "delivery.md").read_text(encoding="utf-8")
    for verb in ("status", "sync", "reap", "events"):
        assert f"**`studbook {verb}`**" in text
        assert verb in VERBS
    settings = load_settings(tmp_path, environ={}).settings
    assert settings.delivery.mode == "sidecar"
    assert settings.delivery.exit_timeout is None
    assert (settings.journal.fsync_interval, settings.leases.ttl) == (1.0, 90.0)
