"""Whatever stands in a manifest: no traceback, and each refusal names its file.

Hypothesis draws documents that are nearly right, the ways people get them wrong, and plain noise.
"""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.manifest.combine import combine
from coder_ws_runtime.persist.manifest.entry import Scope
from coder_ws_runtime.persist.manifest.files import read
from coder_ws_runtime.persist.manifest.load import entries_of
from coder_ws_runtime.persist.manifest.paths import is_own
from tests.conftest import Tried
from tests.harness.tree import Tree

SHARE = 2_000
ALL = 100_000

good = st.sampled_from([".config", ".claude", "a", "foo..bar", ".", "", "é", "$HOME"])
bad = st.sampled_from(["..", "~", "\x00", "\ud800", "n" * 300, ".x.home-persist"]) | st.text(max_size=6)
parts = st.integers(0, 9).flatmap(lambda number: good if number else bad)
paths = st.builds(
    lambda prefix, pieces, suffix: prefix + "/".join(pieces) + suffix,
    st.sampled_from(["", "~/", "/", "$HOME/", "${HOME}/", ".home-persist/", "/home/coder/"]),
    st.lists(parts, max_size=4),
    st.sampled_from(["", "/", "//", "/."]),
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def or_junk(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is right, so that one fault at a time is seen."""
    return st.integers(0, 24).flatmap(lambda number: strategy if number else junk)


scopes = st.sampled_from(["owner", "workspace", "Owner", "all"])
objects = st.fixed_dictionaries(
    {"path": or_junk(paths)},
    optional={
        "scope": or_junk(scopes),
        "mode": or_junk(st.sampled_from(["0700", "600", "0999", "rwx"])),
        "why": or_junk(st.text(max_size=8)),
        "pth": junk,
    },
)
migrations = st.fixed_dictionaries(
    {"id": or_junk(st.sampled_from(["move-it", "Move it", ""]))},
    optional={
        "remove": or_junk(paths),
        "rename": or_junk(st.lists(paths, max_size=3)),
        "rescope": or_junk(st.fixed_dictionaries({"path": paths, "to": scopes})),
    },
)
manifests = st.fixed_dictionaries(
    {"source": or_junk(st.sampled_from(["tool", "a tool", "", "x" * 80]))},
    optional={
        "$schema": or_junk(st.just("./schema.json")),
        "scope": or_junk(scopes),
        "paths": or_junk(st.lists(or_junk(paths | objects), max_size=4)),
        "except": or_junk(st.lists(paths, max_size=2)),
        "migrations": or_junk(st.lists(or_junk(migrations), max_size=2)),
        "pathes": junk,
    },
)
texts = or_junk(manifests).map(lambda value: json.dumps(value).encode())
noise = texts.map(lambda text: text[:-3]) | st.binary(max_size=64)
documents = st.integers(0, 9).flatmap(lambda number: texts if number else noise)


def test_no_document_is_a_surprise(tmp_path: Path, tried: Tried, *, whole: bool) -> None:
    tree = Tree.at(tmp_path)
    file = tree.layout.manifest_dir / "tool.json"
    # What was validated is kept there; each document is new, so there is nothing to gain.
    tree.layout.ledger_dir.rmdir()
    tree.layout.ledger_dir.touch()
    counts = {"fuzzed manifests": 0, "refused": 0}

    @settings(
        max_examples=ALL if whole else SHARE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(documents, st.sampled_from(["w1", ""]))
    def read_it(document: bytes, workspace_id: str) -> None:
        counts["fuzzed manifests"] += 1
        file.write_bytes(document)
        refused: UserError | None
        try:
            value = read(tree.layout, file)
            entries = entries_of(tree.layout, value, str(file), workspace_id)
        except UserError as error:
            refused = error
        else:
            refused = None
        if refused:
            counts["refused"] += 1
            assert refused.place.startswith(str(file))
            assert refused.message
            assert "\n" not in refused.message
            return
        for entry in entries:
            components = entry.path.split("/")
            assert all(part not in ("", ".", "..") for part in components)
            assert not is_own(components[0])
            assert entry.on_volume.startswith(".workspaces/w1/") == (entry.scope is Scope.WORKSPACE)
        for refusal in combine(entries).refused:
            assert refusal.place.startswith(str(file))

    read_it()
    assert counts["fuzzed manifests"] - counts["refused"] > counts["fuzzed manifests"] // 50, "some are right"
    for name, count in counts.items():
        tried(name, count)
