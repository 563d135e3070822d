"""What commands in a workspace answer to programs: their JSON documents and codes, and the journal's records.

Tests of workspaces use these: a code is stable, and a sentence may be improved at any time.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from devtools.workspace import Workspace
from tests.harness.documents import check_document
from tests.harness.waits import LOGGED

_CODES = ("code", "outcome")
"""The keys of the contract whose value is a stable code with an area."""


@dataclass(frozen=True)
class Answer:
    """How a command ended, and its document."""

    status: int
    document: dict[str, Any]

    @property
    def codes(self) -> set[str]:
        """All codes in it, wherever they are."""
        return set(_codes_in(self.document))

    def has(self, facts: Mapping[str, Any]) -> bool:
        """Whether one object in one of the document's lists has these values."""
        lists = [value for value in self.document.values() if isinstance(value, list)]
        return any(facts.items() <= item.items() for items in lists for item in items)

    def names(self, what: str) -> bool:
        """Whether some text in it has this: a path, a command to run, a number."""
        return any(what in text for text in _texts_in(self.document))


def ask(space: Workspace, command: str, *, user: str = "coder") -> Answer:
    """Run a shell's command line that ends with a command of ours, with `--json` after it.

    Raises:
        AssertionError: its answer is no document of the contract, or there is a traceback.
    """
    done = space.sh(f"{command} --json", user=user)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    return Answer(done.returncode, check_document(done.stdout))


def records(space: Workspace, unit: str, **fields: str) -> list[dict[str, Any]]:
    """The journal's records of a unit, in order; those whose own fields (CODER_WS_…) have these values."""
    matches = [f"CODER_WS_{name.upper()}={value}" for name, value in fields.items()]
    line = " ".join([f"{LOGGED}; journalctl --no-pager -o json -u", unit, *matches])
    return [json.loads(record) for record in space.out(line, user="root").splitlines()]


def _codes_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _CODES and isinstance(inner, str):
                yield inner
            yield from _codes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _codes_in(inner)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner)
