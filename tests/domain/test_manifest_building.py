"""Manifests: what they hold, and that their digest is the content's."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from studbook.domain.errors import ArtifactInvalid, ArtifactNameInvalid
from studbook.domain.keys import RunKey
from studbook.domain.manifest import ArtifactKind, ArtifactManifest, ManifestFile
from studbook.domain.manifest_building import manifest_of
from studbook.domain.stage import Stage


def described(path: str, content: bytes) -> ManifestFile:
    return ManifestFile(path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def manifest(*files: ManifestFile, name: str = "checkpoint") -> ArtifactManifest:
    return manifest_of(
        files,
        name=name,
        kind=ArtifactKind.CHECKPOINT,
        profile="transformers",
        run_key=RunKey.of({"run": 1}),
        stage=Stage.REFIT,
        study_key=None,
        trial_key=None,
        role="refit",
        created_at="2024-01-02T03:04:05.678Z",
        studbook="0.1.0",
        excluded=["z", "a"],
    )


def test_the_golden_example() -> None:
    config = described("config.json", b'{"model_type":"svm"}\n')
    weights = described("model.bin", bytes(range(256)) * 4)
    assert (config.size, config.sha256[:8], config.sha256[-4:]) == (21, "6dbe6fd1", "f80e")
    assert (weights.size, weights.sha256[:8], weights.sha256[-4:]) == (1024, "785b0751", "26c9")
    built = manifest(weights, config)
    assert built.content_digest == "sha256:fc084c1abb95ceb335f980e6f88cfaeaca3b1de7ab873a07ff11bd1140d39a29"
    assert [file.path for file in built.files] == ["config.json", "model.bin"]
    assert (built.file_count, built.total_size, built.excluded) == (2, 1045, ("a", "z"))
    assert (built.revision, built.origin, built.layout) == (1, "run", "tree")


def test_files_are_sorted_by_their_utf8_bytes() -> None:
    names = ["\U0001f600", "\uffee", "b", "a/z", "a.txt"]
    built = manifest(*[described(name, b"") for name in names])
    assert [file.path for file in built.files] == ["a.txt", "a/z", "b", "\uffee", "\U0001f600"]


def test_no_file_and_bad_names_are_refused() -> None:
    with pytest.raises(ArtifactInvalid):
        manifest()
    with pytest.raises(ArtifactNameInvalid):
        manifest(described("../a", b""))
    with pytest.raises(ArtifactNameInvalid):
        manifest(described("a", b""), name="studbook/x")


FILES = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}\.[a-z]{1,3}", fullmatch=True).filter(
        lambda path: path.split(".")[0] not in {"con", "prn", "aux", "nul"}
    ),
    st.binary(max_size=20),
    min_size=1,
    max_size=6,
)


@given(files=FILES, data=st.data())
def test_the_digest_does_not_depend_on_the_order(files: dict[str, bytes], data: st.DataObject) -> None:
    described_files = [described(path, content) for path, content in files.items()]
    shuffled = data.draw(st.permutations(described_files))
    assert manifest(*shuffled) == manifest(*described_files)
    assert manifest(*shuffled).to_bytes() == manifest(*described_files).to_bytes()


@given(files=FILES, data=st.data())
def test_any_changed_path_byte_or_size_changes_the_digest(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    before = manifest(*[described(path, content) for path, content in files.items()])
    path = data.draw(st.sampled_from(sorted(files)))
    changes = {
        "path": {**{p: c for p, c in files.items() if p != path}, f"{path}_": files[path]},
        "content": {**files, path: bytes([byte ^ 1 for byte in files[path]]) or b"x"},
        "size": {**files, path: files[path] + b"\0"},
        "more": {**files, "one-more": b""},
    }
    changed = changes[data.draw(st.sampled_from(sorted(changes)))]
    after = manifest(*[described(p, c) for p, c in changed.items()])
    assert after.content_digest != before.content_digest


@given(files=FILES, data=st.data())
def test_a_manifest_survives_its_own_text_and_no_other(files: dict[str, bytes], data: st.DataObject) -> None:
    built = manifest(*[described(path, content) for path, content in files.items()])
    assert ArtifactManifest.from_bytes(built.to_bytes()) == built
    fields = json.loads(built.to_bytes())
    field = data.draw(st.sampled_from(["content_digest", "file_count", "total_size", "schema"]))
    wrong = {
        "content_digest": f"sha256:{'0' * 64}",
        "file_count": fields["file_count"] + 1,
        "total_size": fields["total_size"] + 1,
        "schema": "studbook.manifest/2",
    }
    with pytest.raises(ValidationError):
        ArtifactManifest.from_bytes(json.dumps({**fields, field: wrong[field]}).encode())
