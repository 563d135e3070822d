"""The JSON Schema beside the manifests is that of the model, and says the same as the model."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from coder_ws_runtime.persist.manifest import model as manifest_model
from coder_ws_runtime.persist.manifest.files import SCHEMA
from tests.unit.conftest import Command

MANIFESTS = Path(__file__).parents[2] / "manifests"
FILE = MANIFESTS / SCHEMA
OURS = [file for file in sorted(MANIFESTS.rglob("*.json")) if file != FILE]


def test_it_is_that_of_the_model(run: Command) -> None:
    told = run("schema", root=False)
    assert told.out == FILE.read_text(), "make it again: home-persist schema > manifests/schema.json"
    jsonschema.Draft202012Validator.check_schema(json.loads(told.out))


ROWS = {
    '{"source": "x"}': True,
    '{"source": "x", "paths": [".x/", {"path": ".y", "mode": "0700", "scope": "workspace"}]}': True,
    '{"source": "x", "except": [".x/"], "migrations": [{"id": "a", "remove": ".x"}]}': True,
    '{"source": "x", "migrations": [{"id": "a", "rename": [".x", ".y"]}]}': True,
    '{"source": "x", "migrations": [{"id": "a", "rescope": {"path": ".x", "to": "owner"}}]}': True,
    '{"source": "x", "migrations": [{"id": "a", "rename": [".x"]}]}': False,
    '{"source": "x", "migrations": [{"id": "a"}]}': False,
    '{"source": "x", "migrations": [{"id": "a", "remove": ".x", "rename": [".x", ".y"]}]}': False,
    '{"source": "x", "pahts": []}': False,
    '{"source": "x", "paths": [{"path": ".x", "mod": "0700"}]}': False,
    '{"source": "x", "paths": [{"path": ".x", "mode": "rwx"}]}': False,
    '{"source": "x", "scope": "all"}': False,
    '{"source": "", "paths": []}': False,
    '{"paths": []}': False,
    '{"source": "x", "paths": [3]}': False,
}


@pytest.mark.parametrize(("document", "valid"), ROWS.items(), ids=ROWS.keys())
def test_it_says_the_same_as_the_model(document: str, valid: bool) -> None:  # noqa: FBT001 - a column
    faults = manifest_model.all_faults(document.encode(), place="m.json")
    validator = jsonschema.Draft202012Validator(json.loads(FILE.read_text()))
    assert (not faults, validator.is_valid(json.loads(document))) == (valid, valid)


@pytest.mark.parametrize("file", OURS, ids=lambda file: str(file.relative_to(MANIFESTS)))
def test_our_manifests_name_it(file: Path) -> None:
    document = json.loads(file.read_text())
    assert (
        document["$schema"]
        == f"{'' if file.parent != MANIFESTS else './'}{os.path.relpath(FILE, file.parent)}"
    )
    jsonschema.validate(document, json.loads(FILE.read_text()))
