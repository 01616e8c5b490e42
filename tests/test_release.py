"""What `make release` asks of a version, and that what the wheel carries of others is named."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tomllib
import yaml
from places import ROOT

COMPILED = ROOT / "src/lama_edge/web/compiled"
NOTICES = ROOT / "THIRD_PARTY_NOTICES.md"
MADE = datetime(2026, 1, 2, tzinfo=timezone.utc)
METADATA = """Metadata-Version: 2.4
Name: lama-edge
Version: 9.8.7
Summary: words
License-Expression: Apache-2.0
Requires-Dist: numpy>=1.23
Requires-Dist: onnx>=1.16; extra == "export"
Requires-Dist: coremltools<10,>=9; extra == "coreml"
Requires-Dist: lama-edge[export]; extra == "coreml"
"""


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f".ci/releasing/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ready, contents, try_install = map(_script, ("ready", "contents", "try_install"))


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("## 1.2.0 - 2026-01-02\n\n- a\n\n## 1.1.0 - 2025-01-02\n\n- b\n", None),
        ("## Unreleased\n\n## 1.2.0 - 2026-01-02\n\n- a\n", None),
        ("## Unreleased\n\n- a\n", "has no section '## 1.2.0 - YYYY-MM-DD'"),
        ("## 1.2.0-rc1 - 2026-01-02\n\n- a\n", "has no section"),
        ("## 1.2.0\n\n- a\n", "has '## 1.2.0', which has no date"),
        ("## 1.2.0 - 2026-02-30\n\n- a\n", "which has no date"),
        ("## 1.2.0 - 2026-01-02\n\n## 1.1.0 - 2025-01-02\n\n- b\n", "says nothing of 1.2.0"),
        ("## Unreleased\n\n- c\n\n## 1.2.0 - 2026-01-02\n\n- a\n", "has changes under Unreleased"),
    ],
)
def test_a_release_wants_its_dated_section_and_nothing_unreleased(
    text: str, missing: str | None
) -> None:
    said = ready.missing_in_changelog(f"# Changelog\n\n{text}", "1.2.0")
    assert (said is None) == (missing is None)
    assert said is None or (missing is not None and missing in said)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Version 1.2.0, unreleased, in a repository of its own."""
    files = {
        "pyproject.toml": '[project]\nversion = "1.2.0"\n',
        "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n- a\n",
        "src/lama_edge/__init__.py": '__version__ = "1.2.0"\n',
        "runtimes/web/package.json": '{\n  "version": "1.2.0",\n}\n',
        "runtimes/cpp/CMakeLists.txt": "project(lama_edge VERSION 1.2.0 LANGUAGES CXX)\n",
        "CITATION.cff": "version: 1.2.0\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "a", "--allow-empty")
    return tmp_path


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True)


def test_an_unreleased_version_is_one_line_and_can_be_checked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^no release: CHANGELOG\.md has no .*RELEASE=check"):
        ready.main([str(project)])
    ready.main(["--check", str(project)])
    said = capsys.readouterr()
    assert said.out == "1.2.0\n"
    assert said.err.startswith("a check, no release: CHANGELOG.md has no section")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", ready.PLACES)
def test_every_file_that_names_the_version_names_the_same(project: Path, name: str) -> None:
    path = project / name
    path.write_text(path.read_text().replace("1.2.0", "1.1.0"))
    with pytest.raises(SystemExit, match=rf"{re.escape(name)} says version 1\.1\.0"):
        ready.main(["--check", str(project)])


def test_a_tag_of_another_version_is_refused(project: Path) -> None:
    _git(project, "tag", "v1.1.0")
    with pytest.raises(SystemExit, match=r"tagged v1\.1\.0, .* says 1\.2\.0"):
        ready.main(["--check", str(project)])
    _git(project, "tag", "v1.2.0")
    ready.main(["--check", str(project)])


def test_this_tree_agrees_on_its_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ready.wrong_versions(ROOT, version) == []


def _wheel(folder: Path, *names: str) -> Path:
    path = folder / "lama_edge-9.8.7-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lama_edge-9.8.7.dist-info/METADATA", METADATA)
        for name in ("lama_edge/__init__.py", *names):
            archive.writestr(name, name)
    return path


def test_a_file_that_nobody_spoke_for_stops_a_release(tmp_path: Path) -> None:
    font = "lama_edge/web/compiled/demo/assets/inter-1234.woff2"
    with pytest.raises(contents.UnknownFileError, match=rf"holds {font}, which no entry"):
        contents.sort_files(_wheel(tmp_path, font))


def test_the_sbom_is_cyclonedx_and_names_what_is_carried_and_what_is_asked_for(
    tmp_path: Path,
) -> None:
    script = "lama_edge/web/compiled/demo/assets/index-1.js"
    wheel = _wheel(tmp_path, script, "lama_edge/models/embedded/lama_tiny.safetensors")
    document = contents.sbom(wheel, MADE)
    contents.check(document)
    assert document == contents.sbom(wheel, MADE)
    parts: dict[str, Any] = {part["name"]: part for part in document["components"]}
    assert parts["preact"]["evidence"]["occurrences"] == [{"location": script}]
    assert parts["preact"]["purl"] == f"pkg:npm/preact@{_npm()['preact']}"
    assert parts["lama-tiny"]["type"] == "machine-learning-model"
    assert "lama-edge" not in parts
    asked = {name: part["scope"] for name, part in parts.items() if part.get("isExternal")}
    assert asked == {"numpy": "required", "onnx": "optional", "coremltools": "optional"}
    assert parts["coremltools"]["versionRange"] == "vers:pypi/>=9|<10"


def test_a_document_that_breaks_cyclonedx_is_refused(tmp_path: Path) -> None:
    document = contents.sbom(_wheel(tmp_path), MADE)
    document["components"][0]["kind"] = "library"
    with pytest.raises(ValueError, match=r"breaks CycloneDX 1\.7"):
        contents.check(document)


def _npm() -> dict[str, str]:
    manifest = json.loads((ROOT / "runtimes/web/package.json").read_text())
    return dict(manifest["devDependencies"])


def _vendored() -> list[dict[str, Any]]:
    return list(tomllib.loads(contents.VENDORED.read_text())["lama_edge"])


def test_what_is_of_others_is_in_the_notices_and_nothing_else() -> None:
    rows = [line for line in NOTICES.read_text().splitlines() if line.startswith("| ")][2:]
    foreign = [part for part in _vendored() if part.get("licence", "Apache-2.0") != "Apache-2.0"]
    assert len(rows) == len(foreign) > 2
    for row, part in zip(rows, foreign, strict=True):
        assert f"| {part['licence']}" in row
        assert Path(part["files"][0]).name in row
        assert part.get("version", part.get("supplier")) in row


def test_packages_in_the_pages_are_those_of_the_notices_with_their_licences() -> None:
    """What Vite saw itself bundle is the judge."""
    bundled = {
        part["name"]: part["version"] for part in _vendored() if part.get("type") == "library"
    }
    assert bundled == {name: _npm()[name] for name in bundled}
    if not COMPILED.is_dir():
        pytest.skip("`make web` has not been run here")
    for path in COMPILED.glob("*/licences.md"):
        _, *sections = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
        heads = [section.split("\n")[0] for section in sections]
        assert heads == [f"{name} - {version} (MIT)" for name, version in bundled.items()]
        for section in sections:
            assert section.split("\n", 1)[1].strip() in NOTICES.read_text()


def test_pythons_that_do_not_run_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pyenv's shims of versions that are not chosen."""
    shim, real = tmp_path / "shims/python3.12", tmp_path / "versions/3.12.1/bin/python3.12"
    for path, text in ((shim, "exit 127"), (real, "echo 3.12")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=":")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert try_install.find_python("3.12") == str(real)
    real.unlink()
    assert try_install.find_python("3.12") is None


def test_what_fails_in_an_empty_environment_is_one_line(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nmkdir -p "$3/bin" && ln -s {sys.executable} "$3/bin/python"\n')
    python.chmod(0o755)
    environment = try_install.Environment(str(python), tmp_path / "trial")
    with pytest.raises(try_install.TrialError, match=r": ZeroDivisionError: [^\n]+$"):
        environment.python("1 / 0")


FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("github-workflows", WORKFLOWS),
        ("github-issue-forms", FORMS),
        ("github-issue-config", [ROOT / ".github/ISSUE_TEMPLATE/config.yml"]),
        ("citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_files_for_the_forge_are_in_its_form(schema: str, paths: list[Path]) -> None:
    assert paths
    words = ["-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *paths]
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_jobs_of_a_release_may_do_what_they_are_for_and_no_more() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    assert release["permissions"] == {}
    may = {
        name: {scope for scope, level in job["permissions"].items() if level == "write"}
        for name, job in release["jobs"].items()
    }
    assert may == {
        "build": set(),
        "pythons": set(),
        "attest": {"id-token", "attestations"},
        "pypi": {"id-token"},
        "npm": {"id-token"},
        "github": {"contents"},
    }
    # What publishes runs nothing of the repository, and every way to it begins at a tag.
    for name in ("attest", "pypi", "npm", "github"):
        uses = [step.get("uses", "") for step in release["jobs"][name]["steps"]]
        assert not [action for action in uses if action.startswith("actions/checkout")]
    assert release["jobs"]["attest"]["if"] == "github.ref_type == 'tag'"
    assert not [path for path in WORKFLOWS if "secrets." in path.read_text()]
