"""Checks of the tools that belong to the image's stack: they are on PATH and can run."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor import remedies
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Check, Need
from coder_ws_runtime.doctor.findings import Verdict, failure, found, ok, skipped
from coder_ws_runtime.doctor.versions import ask_version
from coder_ws_runtime.system.process import Completed, find_program


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of an image."""

    name: str
    """Its command."""
    recipe: str
    """The directory, below the share directory, that exists if the image has the tool."""


_NODE = "node"

TOOLS = (
    Tool(_NODE, "nvm"),
    Tool("npm", "nvm"),
    Tool("claude", "claude-code"),
    Tool("rtk", "rtk"),
    Tool("clang", "llvm"),
    Tool("cmake", "cmake"),
    Tool("sccache", "sccache"),
)


def _function(tool: Tool) -> Callable[[Context], Verdict]:
    def look(context: Context) -> Verdict:
        """The tool is on PATH and runs."""
        if not (context.layout.share / tool.recipe).is_dir():
            return skipped("not part of this image")
        restart = remedies.restart_workspace(
            context, "restart the workspace: that restores the image's files"
        )
        path = context.env.get("PATH", os.defpath)
        program = find_program(tool.name, path)
        if program is None:
            problem = f"{tool.name} is part of this image but not on PATH"
            evidence = [f"PATH={path}"]
            finding = failure("tools.missing", problem, restart, evidence=evidence, about=tool.name)
            return found([finding], "")
        if tool.name != _NODE and _is_of_node(program):
            node = context.ask(_node)
            if not node.ok:
                return skipped("it is a node script, and node does not run; see tools.node")
            version = _of_package(program)
            if version:
                return ok(f"{version} ({program})")
        done = context.ask(_node) if tool.name == _NODE else ask_version(context, program)
        if not done.ok:
            problem = f"{tool.name} does not run"
            evidence = [f"{program}: {done.complaint}"]
            finding = failure("tools.broken", problem, restart, evidence=evidence, about=tool.name)
            return found([finding], "")
        version = next(iter((done.stdout or done.stderr).strip().splitlines()), "")
        return ok(f"{version[:60]} ({Path(program)})")

    look.__doc__ = f"{tool.name} is on PATH and runs, if it is part of the image."
    return look


def _is_of_node(program: str) -> bool:
    """Whether a program is a script for node, judging by its first line."""
    try:
        with open(program, "rb") as file:
            first = file.read(128).partition(b"\n")[0]
    except OSError:
        return False
    return first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] == _NODE.encode()


def _node(context: Context) -> Completed:
    """How node ran: it is started once, for its own check and for all scripts that need it."""
    program = find_program(_NODE, context.env.get("PATH", os.defpath)) or _NODE
    return ask_version(context, program)


def _of_package(program: str) -> str:
    """The version of the package to which a node script belongs; empty if there is none.

    npm takes a quarter of a second to print its version; the package next to it has the same.
    """
    script = Path(os.path.realpath(program))
    for directory in script.parents[:3]:
        try:
            return str(json.loads((directory / "package.json").read_bytes())["version"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""


def _check(tool: Tool) -> Check:
    return Check(f"tools.{tool.name}", tool.name, _function(tool), (Need.LIVE,))


CHECKS = tuple(_check(tool) for tool in TOOLS)
