"""The commands of docs/migrate.md, on a file store of a project's runs."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.mlflow_files.file_store import write_run
from docs.pages import DOCS, Page, run
from studbook.domain import errors
from studbook.domain.vocabulary import DEFAULT_VOCABULARY


def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    meta = "status: 3\nstart_time: 1\nend_time: 2\nrun_name: r\nlifecycle_stage: active\n"
    project = DEFAULT_VOCABULARY.write("run.project", tmp_path.name)
    tags = {f"tags/{key}": text for key, text in (project, ("studbook.stage", "final_training"))}
    folder = write_run(tmp_path / "mlruns", "0" * 32, meta, {**tags, "tags/studbook.schema": "3"})
    (folder.parent / "meta.yaml").write_text("experiment_id: '1'\nname: digits\n")
    (tmp_path / "studbook.yaml").write_text(f"project: {tmp_path.name}\n")
    plan, *commands = Page.of("migrate.md").commands
    assert "0 there already" not in run(tmp_path, plan).stdout
    assert not (tmp_path / "mlflow.db").exists()
    for command in commands:
        done = run(tmp_path, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert '"name":"r"' in done.stdout


def test_the_page_names_errors_and_a_tag_that_there_are() -> None:
    text = (DOCS / "migrate.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][a-z]\w+)`", text))
    assert named == {"ExperimentDeleted", "SameStore", "MigrationBusy", "MalformedRun"}
    assert all(hasattr(errors, name) for name in named)
    assert f"`{DEFAULT_VOCABULARY.key('run.migrated_from')}`" in text
