"""The changelog: its fragments are of a known kind, and a release finds its notes."""

import tomllib

import pytest

from devtools.changelog import notes
from devtools.shell import ROOT, DevError

TEXT = "# Changes\n\n## 0.2.0 (2026-01-02)\n\n- new\n\n## 0.1.0\n\n- first\n"


def test_notes_are_those_of_the_version() -> None:
    assert notes(TEXT, "0.2.0") == "- new"
    assert notes(TEXT, "0.1.0") == "- first"


def test_a_version_without_notes_is_refused() -> None:
    with pytest.raises(DevError):
        notes(TEXT, "0.2")


def test_every_fragment_has_a_kind() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    kinds = {kind["directory"] for kind in configuration["tool"]["towncrier"]["type"]}
    fragments = [file for file in (ROOT / "changes").iterdir() if file.name != "README.md"]
    assert [file.name for file in fragments if file.name.split(".")[-2] not in kinds] == []
    assert all(file.read_text().strip() for file in fragments)
