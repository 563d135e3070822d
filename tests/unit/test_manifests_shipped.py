"""The manifests that we ship: valid together, each path with its reason, each warning known."""

import json
from pathlib import Path

import pytest

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.lint import check_files
from devtools.shell import ROOT

DEFAULT = sorted(file for file in (ROOT / "manifests").glob("*.json") if file.name != "schema.json")
OPTIONAL = sorted((ROOT / "manifests/optional").glob("*.json"))
FILES = [*DEFAULT, *OPTIONAL]
IDS = [file.stem for file in FILES]
# Files that their programs replace or remove; each one's `why` says what then happens.
WARNED = {".npmrc", ".zsh_history"}


def test_what_is_on_by_default() -> None:
    assert [file.stem for file in DEFAULT] == ["claude-code", "jetbrains", "rtk", "web-shell"]


def test_all_are_valid_together(tmp_path: Path) -> None:
    checked = check_files(Layout.of(tmp_path), FILES, "")
    assert [str(fault) for one in checked for fault in one.faults] == []
    warned = {trap.message.split("'")[1] for one in checked for trap in one.traps}
    assert warned == WARNED


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_it_says_why(file: Path) -> None:
    manifest = json.loads(file.read_text())
    assert manifest["source"] == file.stem, "home-persist enable knows it by this name"
    assert manifest["description"]
    for path in manifest["paths"]:
        assert path["why"].endswith("."), path
    assert (file.parent / manifest["$schema"]).resolve() == ROOT / "manifests/schema.json"
