"""What the documentation says is run: every code block, every link, every name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, Page, run
from studbook.config.settings import load_settings
from studbook.domain import errors
from studbook.domain.run import EndReason
from studbook.domain.run_columns import ATTRIBUTES, URL
from studbook.domain.selection.policy import PRESETS
from studbook.domain.stage import Stage

PAGES = sorted(DOCS.glob("*.md"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first sweep was walked through, over the default SQLite store."""
    folder = tmp_path_factory.mktemp("first-sweep")
    Page.of("first-sweep.md").write(folder)
    done = run(folder, "python page.py")
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ["first-sweep.md", "extending.md", "selection.md"])
def test_the_python_of_a_page_runs_in_memory(tmp_path: Path, name: str) -> None:
    page = Page.of(name)
    assert page.script
    page.write(tmp_path)
    done = run(tmp_path, "python page.py", STUDBOOK_TRACKING__URI="memory://")
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not list(tmp_path.glob("*.db"))


def test_the_python_of_the_page_on_mlflow_runs_beside_it(tmp_path: Path) -> None:
    Page.of("with-mlflow.md").write(tmp_path)
    done = run(tmp_path, "python page.py", STUDBOOK_DELIVERY__MODE="inline")
    assert done.returncode == 0, done.stderr
    assert "active rk3:" in done.stdout
    assert "adopted True" in done.stdout


def test_the_first_sweep_ends_with_verified_files_and_a_lineage(swept: Path) -> None:
    printed = (swept / "printed.txt").read_text(encoding="utf-8")
    assert "best-model VERIFIED" in printed
    assert "hpo_sweep" in printed
    assert (swept / "best-model" / "model.joblib").is_file()


def test_the_commands_of_the_first_sweep_find_its_runs(swept: Path) -> None:
    commands = Page.of("first-sweep.md").commands
    assert len(commands) > 3
    for command in commands:
        done = run(swept, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_the_commands_of_the_page_on_runs_find_runs(swept: Path) -> None:
    commands = Page.of("runs.md").commands
    assert len(commands) > 3
    for command in commands:
        done = run(swept, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_the_page_on_runs_names_every_column() -> None:
    text = (DOCS / "runs.md").read_text(encoding="utf-8")
    assert [name for name in (*ATTRIBUTES, URL) if f"`{name}`" not in text] == []


def test_the_recipes_for_mlflow_find_the_tree_and_the_refits(swept: Path) -> None:
    page = Page.of("what-is-recorded.md")
    (swept / "recipes.py").write_text(page.script, encoding="utf-8")
    done = run(swept, "python recipes.py")
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    for stage in set(Stage) - {Stage.CONVERSION}:
        assert re.search(rf"^{stage}\s+FINISHED", printed, re.MULTILINE), printed
    assert re.search(r"^  \S+_trial_\S+ FINISHED\n    \S+_fold_", printed, re.MULTILINE), printed
    assert re.search(r"^  \S+_refit_", printed, re.MULTILINE), printed
    assert "metrics.macro_f1_trial" in printed


def test_the_script_of_child_processes_trains_folds_refits_and_a_job(tmp_path: Path) -> None:
    page = Page.of("child-processes.md")
    page.script += 'print("document:", document)\n'
    page.write(tmp_path)
    done = run(tmp_path, "python page.py")
    assert done.returncode == 0, done.stderr
    printed, _, document = done.stdout.partition("document: ")
    assert "3 complete" in printed
    assert "FINISHED ['loss', 'score']" in printed
    job = run(tmp_path, "python train.py", STUDBOOK_RUN_CONTEXT=document.strip())
    assert job.returncode == 0, job.stderr
    assert run(tmp_path, "studbook sync").returncode == 0
    listed = run(tmp_path, "studbook runs --stage final_training")
    assert re.search(r"nightly.*FINISHED|FINISHED.*nightly", listed.stdout), listed.stdout


def test_the_contract_suite_of_extending_passes(tmp_path: Path) -> None:
    page = Page.of("extending.md")
    page.write(tmp_path)
    for command in page.commands:
        done = run(tmp_path, command)
        assert done.returncode == 0, done.stdout
        assert "passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_settings_files_shown_are_accepted(tmp_path: Path, page: Path) -> None:
    files = {
        name: text
        for name, text in Page.of(page.name).files.items()
        if name in ("studbook.yaml", "tags.yaml")
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    workspace = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
    (tmp_path / "config.json").write_text(json.dumps(workspace), encoding="utf-8")  # as it is downloaded
    load_settings(tmp_path, environ={})


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "ARCHITECTURE.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in {_anchor(line) for line in linked.read_text(encoding="utf-8").splitlines()}, (
                target
            )


def _anchor(line: str) -> str:
    """The anchor that GitHub gives a heading."""
    heading = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
    return heading.replace(" ", "-") if line.startswith("#") else ""


def test_the_errors_that_troubleshooting_names_exist() -> None:
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w+)`", text)) - {"SystemExit"}
    named = {name for name in named if not name.isupper() and "_" not in name}
    assert {"DeliveryPending", "StudyBusy", "NoCandidate"} <= named
    assert [name for name in sorted(named) if not hasattr(errors, name)] == []


def test_every_preset_is_told_of() -> None:
    text = (DOCS / "selection.md").read_text(encoding="utf-8")
    assert [name for name in PRESETS if f"| `{name}` |" not in text] == []


def test_every_reason_that_is_told_of_exists() -> None:
    text = (DOCS / "what-is-recorded.md").read_text(encoding="utf-8")
    table = text.partition("## Statuses and reasons")[2].partition("##")[0]
    told = {word for line in table.splitlines() for word in re.findall(r"`(\w+)`", line.rpartition("| ")[2])}
    assert told <= {str(reason) for reason in EndReason}
