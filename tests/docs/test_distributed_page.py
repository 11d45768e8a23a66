"""What docs/distributed.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pages import DOCS
from studbook.config.settings import load_settings
from studbook.entrypoints.cli.verbs import VERBS

_COMMAND = re.compile(r"(?:`|\$ +)studbook ((?:--\S+ \S+ )*)(\w+)")
_VARIABLE = re.compile(r"\b(STUDBOOK_\w+)=")


def test_its_commands_and_settings_are_there(tmp_path: Path) -> None:
    text = (DOCS / "distributed.md").read_text(encoding="utf-8")
    verbs = {verb for _, verb in _COMMAND.findall(text)}
    assert {"doctor", "reap", "sync", "status"} <= verbs <= set(VERBS)
    variables = {name: "manual" if name.endswith("MODE") else "memory://" for name in _VARIABLE.findall(text)}
    assert len(variables) == 3
    settings = load_settings(tmp_path, environ=variables).settings
    assert settings.delivery.mode == "manual"
    assert (settings.leases.interval, settings.leases.ttl) == (15.0, 90.0)
