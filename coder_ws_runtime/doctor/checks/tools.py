"""Checks of the tools that the image's stack promises: on PATH, and able to run."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Check, Need
from coder_ws_runtime.doctor.findings import Remedy, Verdict, Where, failure, found, ok, skipped


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of an image."""

    name: str
    """As it is called."""
    recipe: str
    """The directory below the share directory by which the image says that it has the tool."""
    arguments: tuple[str, ...] = ("--version",)


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
            return skipped("not a part of this image")
        restart = Remedy(
            "restart the workspace: that takes the image's files again", (context.restart(),), Where.CLIENT
        )
        path = context.env.get("PATH", os.defpath)
        program = shutil.which(tool.name, path=path)
        if program is None:
            problem = f"{tool.name} is a part of this image, and not on PATH"
            return found([failure(problem, restart, evidence=[f"PATH={path}"])], "")
        if tool.name != _NODE and _is_of_node(program) and not _runs(context, _NODE, path):
            return skipped("it is a script for node, which does not run; see tools.node")
        done = context.run([program, *tool.arguments], timeout=8)
        if not done.ok:
            problem = f"{tool.name} does not run"
            return found([failure(problem, restart, evidence=[f"{program}: {done.complaint}"])], "")
        version = next(iter((done.stdout or done.stderr).strip().splitlines()), "")
        return ok(f"{version[:60]} ({Path(program)})")

    look.__doc__ = f"{tool.name}, which the image promises, is on PATH and runs."
    return look


def _is_of_node(program: str) -> bool:
    """Whether a program is a script that node runs, by its first line."""
    try:
        with open(program, "rb") as file:
            first = file.read(128).partition(b"\n")[0]
    except OSError:
        return False
    return first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] == _NODE.encode()


def _runs(context: Context, name: str, path: str) -> bool:
    program = shutil.which(name, path=path)
    return program is not None and context.run([program, "--version"], timeout=8).ok


def _check(tool: Tool) -> Check:
    return Check(f"tools.{tool.name}", tool.name, _function(tool), (Need.LIVE,))


CHECKS = tuple(_check(tool) for tool in TOOLS)
