"""Writes the generated tables into the pages of this folder: `make docs`."""

from __future__ import annotations

from pathlib import Path

from studbook.config.reference import filled, tables


def main() -> None:
    """Rewrite every page whose tables are stale, and name it."""
    generated = tables()
    for path in sorted(Path(__file__).parent.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = filled(before, generated)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"rewritten: {path.name}")


if __name__ == "__main__":
    main()
