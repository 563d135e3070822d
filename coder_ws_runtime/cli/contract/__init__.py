"""The JSON documents of the commands: the interface for programs.

Each document is an object with its name (``document``) and its version. A change that would break a reader of
the old version raises the version, and is in the changelog. Keys mean the same everywhere: `code` is stable
and for programs; `message` is for people, and may change; `remedy` says how to fix it; `place` says where it
is. Sizes are in bytes and end with ``_bytes``; times are seconds since the epoch.

Only ``schema`` commands and tests import this module: pydantic is slow to load.
"""

from typing import Any

from pydantic import BaseModel

from coder_ws_runtime.cli.contract.boot import (
    DockerGroup,
    Hooks,
    HooksList,
    JetBrains,
    JetBrainsList,
    JetBrainsPrune,
)
from coder_ws_runtime.cli.contract.declarations import Add, Available, Disable, Enable, Remove, Validate
from coder_ws_runtime.cli.contract.doctor import Doctor, DoctorList
from coder_ws_runtime.cli.contract.resolve import Migrate, MigrateList, Resolve, Status
from coder_ws_runtime.cli.contract.shared import ErrorDocument
from coder_ws_runtime.cli.contract.volume import AtticList, AtticPrune, AtticRestore, Gc

DOCUMENTS: dict[str, type[BaseModel]] = {
    model.model_fields["document"].annotation.__args__[0]: model  # type: ignore[union-attr]
    for model in (
        ErrorDocument,
        Resolve,
        Status,
        Add,
        Remove,
        Available,
        Enable,
        Disable,
        Validate,
        Migrate,
        MigrateList,
        AtticList,
        AtticRestore,
        AtticPrune,
        Gc,
        Hooks,
        HooksList,
        DockerGroup,
        JetBrains,
        JetBrainsList,
        JetBrainsPrune,
        Doctor,
        DoctorList,
    )
}
"""The model of each document, by the document's name."""


def schema(document: str) -> dict[str, Any]:
    """The JSON Schema of one document.

    Args:
        document: a key of DOCUMENTS.
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**dialect, **DOCUMENTS[document].model_json_schema(by_alias=True)}
