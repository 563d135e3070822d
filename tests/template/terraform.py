"""The real Terraform on the template, with the real providers where it is configured to find them."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.template.standin import modules
from tests.template.standin.installation import ROOT, install
from tests.template.standin.parameter import variable
from tests.template.standin.serve import attached

INIT_SCRIPT = "#!/bin/sh\n# the agent's init script: ${ACCESS_URL} ${AUTH_TYPE}\n"
BUILD = {
    "CODER_AGENT_SCRIPT_linux_amd64": INIT_SCRIPT,
    "CODER_AGENT_URL": "http://localhost:7080",
    "CODER_WORKSPACE_ID": "00000000-0000-4000-8000-000000000001",
    "CODER_WORKSPACE_NAME": "dev",
    "CODER_WORKSPACE_OWNER": "ada",
    "CODER_WORKSPACE_OWNER_EMAIL": "ada@example.org",
    "CODER_WORKSPACE_OWNER_ID": "00000000-0000-4000-8000-0000000000aa",
    "CODER_WORKSPACE_OWNER_NAME": "Ada Lovelace",
    "CODER_WORKSPACE_TRANSITION": "start",
}
"""What Coder tells the providers of a workspace build."""

Json = dict[str, Any]


class TerraformError(Exception):
    """Terraform ended with an error; the text is what it said, without its frames."""


@dataclass(frozen=True)
class Plan:
    """A plan as `terraform show -json` prints it."""

    file: Path
    json: Json

    def actions(self, address: str) -> list[str]:
        """What happens to a resource: `["create"]`, `["delete", "create"]` …; nothing without it."""
        for change in self.json.get("resource_changes", []):
            if change["address"] == address:
                return list(change["change"]["actions"])
        return []

    def before(self, address: str) -> Json:
        """The attributes of a resource as it is now.

        Raises:
            KeyError: there is none.
        """
        for change in self.json.get("resource_changes", []):
            if change["address"] == address and change["change"]["before"]:
                return dict(change["change"]["before"])
        raise KeyError(address)

    def values(self, address: str) -> Json:
        """The planned attributes of a resource.

        Raises:
            KeyError: nothing is planned there.
        """
        for resource in _resources(self.json["planned_values"]["root_module"]):
            if resource["address"] == address:
                return dict(resource["values"])
        raise KeyError(address)

    def addresses(self) -> set[str]:
        """The resources that are there afterwards."""
        return {one["address"] for one in _resources(self.json["planned_values"]["root_module"])}


def _resources(module: Json) -> Iterator[Json]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)


class Terraform:
    """The template in a directory of its own, initialised.

    Args:
        directory: where; must exist.
        environment: what every run needs.
        real: whether Terraform finds the real providers.
        template: the file, from the top of the checkout.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], *, real: bool, template: str = "main.tf"
    ) -> None:
        self.directory = directory
        self.environment = dict(environment)
        self.real = real
        self._runs = 0
        shutil.copy(ROOT / template, directory)

    def run(self, *words: str, environment: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        """Run Terraform and return what it prints.

        Args:
            words: its arguments.
            environment: what the providers see beside the build's.
            stdin: what it reads.

        Raises:
            TerraformError: it failed.
        """
        whole = {**BUILD, **(environment or {})}
        # Short, for the sockets.
        with tempfile.TemporaryDirectory(prefix="tf") as sockets, contextlib.ExitStack() as stack:
            attach = (
                {} if self.real or words[0] == "init" else stack.enter_context(attached(Path(sockets), whole))
            )
            done = subprocess.run(
                ["terraform", words[0], *([] if words[0] == "console" else ["-no-color"]), *words[1:]],
                input=stdin,
                cwd=self.directory,
                env={**os.environ, **self.environment, **whole, **attach},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise TerraformError(_unframed(done.stderr or done.stdout))
        return done.stdout

    def plan(
        self,
        parameters: Mapping[str, object] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        state: Path | None = None,
        destroy: bool = False,
        words: list[str] | None = None,
    ) -> Plan:
        """Plan a build of the workspace.

        Args:
            parameters: by name; a list is given as Coder gives it, as JSON.
            environment: what the providers see beside the build's.
            variables: of the template.
            state: what is there; nothing by default.
            destroy: plan the deletion.
            words: further arguments of `terraform plan`.

        Raises:
            TerraformError: what a user reads.
        """
        self._runs += 1
        file = self.directory / f"plan-{self._runs}"
        words = [*(words or []), *(["-destroy"] if destroy else [])]
        words += [f"-var={name}={value}" for name, value in (variables or {}).items()]
        words += [f"-state={state or file.with_suffix('.none')}", f"-out={file}"]
        chosen = {variable(name): _text(value) for name, value in (parameters or {}).items()}
        self.run(
            "plan",
            "-input=false",
            "-lock=false",
            "-no-color",
            *words,
            environment={**chosen, **(environment or {})},
        )
        return Plan(file, json.loads(self.run("show", "-json", str(file))))

    def evaluate(self, expression: str, variables: Mapping[str, str]) -> object:
        """The value of an expression of the template, with nothing there yet and no data source read."""
        words = [f"-var={name}={value}" for name, value in variables.items()]
        state = f"-state={self.directory / 'console.none'}"
        # It warns, in colour, that what a data source or a resource says is not known.
        said = self.run("console", state, *words, stdin=f"{expression}\n")
        return json.loads(said.strip().splitlines()[-1])

    def apply(self, plan: Plan, state: Path, *, environment: Mapping[str, str] | None = None) -> Json:
        """Carry a plan out, and return the state."""
        self.run("apply", "-lock=false", f"-state={state}", str(plan.file), environment=environment)
        shown: Json = json.loads(self.run("show", "-json", str(state)))
        return shown


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unframed(text: str) -> str:
    lines = (line.strip("╷╵│ ") for line in text.splitlines())
    return " ".join(" ".join(lines).split())


@contextlib.contextmanager
def ready(template: str = "main.tf", files: Mapping[str, str] | None = None) -> Iterator[Terraform]:
    """Terraform with the template, initialised.

    Where TF_CLI_CONFIG_FILE names a file, it says where providers and modules are; else stand-ins are used.

    Args:
        template: relative to the checkout.
        files: further files beside the template, by name.
    """
    with tempfile.TemporaryDirectory(prefix="template") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        environment = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        real = Path(os.environ.get("TF_CLI_CONFIG_FILE", "/nowhere")).is_file()
        if not real:
            environment |= install(directory, stack.enter_context(modules.registry()))
        work = directory / "work"
        work.mkdir()
        terraform = Terraform(work, environment, real=real, template=template)
        for file, content in (files or {}).items():
            (work / file).write_text(content)
        terraform.run("init", "-input=false")
        yield terraform
