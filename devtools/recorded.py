"""The template's plan, as `./dev plan` recorded it: the booted container is the one in the template."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devtools import shell, venv
from devtools.shell import DevError, say

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).with_name("planned.json")
"""The plan of main.tf with every parameter at its default; a test keeps it equal to a fresh one."""

Json = dict[str, Any]


KUBERNETES = Path(__file__).with_name("planned-kubernetes.json")
"""The plan of kubernetes/main.tf; a test keeps it equal to a fresh one, too."""


PLANNERS = {RECORD: "tests.template.record", KUBERNETES: "tests.template.record_kubernetes"}
"""The program that plans the template of each record."""


def plan(file: Path, module: str) -> bool:
    """Plan the template of this checkout into a file.

    Args:
        file: the record.
        module: the program that plans it, as in `PLANNERS`.

    Returns:
        whether that was possible: it takes Terraform.

    Raises:
        DevError: the template does not plan.
    """
    if shutil.which("terraform") is None:
        return False
    words: list[str | Path] = [venv.ensure() / "python", "-m", module, file]
    try:
        shell.run(words, env={"PYTHONPATH": str(ROOT)})
    except DevError as error:
        raise DevError("the template does not plan", str(error)) from error
    return True


def fresh(record: Path = RECORD) -> Path:
    """A record of a template as it is now; the recorded one where Terraform is missing.

    Args:
        record: the recorded one, which says which template.
    """
    file = ROOT / ".dev" / record.name
    file.parent.mkdir(exist_ok=True)
    if plan(file, PLANNERS[record]):
        return file
    say("without terraform: the recorded plan of the template")
    return record


def load(
    file: Path, *, name: str, owner: str, workspace_id: str, others: Mapping[str, str] | None = None
) -> Json:
    """A record with a workspace's own identity in the places of the recorded one.

    Args:
        file: the record.
        name: of the workspace.
        owner: its name; its id is made of it.
        workspace_id: Coder's id.
        others: further texts of the record, and what is put in their places.
    """
    text = file.read_text()
    places = {
        "recorded-workspace-id": workspace_id,
        "recorded-workspace": name,
        "recorded-owner-id": f"id-of-{owner}",
        "recorded-owner": owner,
        "recorded-token": "token-of-the-tests",
        **(others or {}),
    }
    for recorded, own in places.items():
        text = text.replace(recorded, own)
    loaded: Json = json.loads(text)
    return loaded
