"""The JSON contract: every document has its schema, published beside the docs."""

import json

import pytest

from coder_ws_runtime.cli import contract
from tests.unit.conftest import Command


@pytest.mark.parametrize("document", contract.DOCUMENTS)
def test_a_document_names_itself_and_its_version(document: str) -> None:
    properties = contract.schema(document)["properties"]
    assert properties["document"]["const"] == document
    assert properties["version"]["const"] == 2
    assert {"document", "version"} <= set(contract.schema(document)["required"])


def test_the_command_prints_a_schema(run: Command) -> None:
    printed = json.loads(run("schema", "status", root=False).out)
    assert printed == contract.schema("home-persist status")
    assert json.loads(run("schema", root=False).out)["title"].startswith("Manifest")


@pytest.mark.parametrize("document", contract.DOCUMENTS)
def test_the_schema_of_each_document_is_printed(document: str, run: Command) -> None:
    printed = json.loads(run("schema", document.removeprefix("home-persist "), root=False).out)
    assert printed == contract.schema(document)


def test_an_error_is_a_document_too(run: Command) -> None:
    printed = json.loads(run("status", "~/nothing-like-it", "--json").out)
    assert printed["document"] == "error"
    assert printed["error"]["code"] == "path.not-declared"
    assert printed["error"]["remedy"]
