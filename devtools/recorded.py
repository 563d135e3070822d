"""The template's plan, as `./dev plan` recorded it: what boots is what the template says."""

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


def plan(file: Path, module: str = "tests.template.record") -> bool:
    """Plan the template of this checkout into a file.

    Args:
        file: the record.
        module: the program that plans it; `tests.template.record_kubernetes` for kubernetes/main.tf.

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


def fresh() -> Path:
    """A record of main.tf as it is now; the recorded one where Terraform is missing."""
    file = ROOT / ".dev/planned.json"
    file.parent.mkdir(exist_ok=True)
    if plan(file):
        return file
    say("without terraform: the recorded plan of the template")
    return RECORD


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
