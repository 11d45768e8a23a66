"""The pages of docs/ as programs: their code blocks, taken out and run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# (\S+\.(?:py|yaml))\n")


@dataclass
class Page:
    """The blocks of one page: files (a first line `# name.py`), one script of all other Python, commands."""

    script: str = ""
    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, name: str) -> Page:
        page = cls()
        for language, code in _BLOCK.findall((DOCS / name).read_text(encoding="utf-8")):
            named = _NAMED.match(code)
            if named and language in ("python", "yaml"):
                page.files[named[1]] = code
            elif language == "python":
                page.script += code
            elif language == "sh":
                page.commands += code.strip().splitlines()
        return page

    def write(self, folder: Path) -> None:
        """Put the files and the script into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in {**self.files, "page.py": self.script}.items():
            (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command line in a folder, as a user of this installation would."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("STUDBOOK_", "MLFLOW_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return subprocess.run(
        shlex.split(command, comments=True),
        cwd=folder,
        env=kept | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
