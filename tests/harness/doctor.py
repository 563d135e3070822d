"""Breaks one thing in a real workspace, and fixes it by the remedy that the doctor prints."""

import copy
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devtools.kubernetes.workspace import KubernetesWorkspace
from devtools.workspace import Workspace
from tests.harness.documents import check_document
from tests.harness.waits import LOGGED

_MARK = "--- report ---"
_BAD = ("failure", "crashed")


@dataclass(frozen=True)
class Template:
    """What is wrong with the template: a change of the workspace before it is booted again."""

    change: Callable[[Workspace], None]
    boots: bool = True
    """Whether what it makes boots at all."""
    seen: str = "true"
    """A script for root that waits until what is wrong can be seen."""


def _nothing(_: Workspace) -> None:
    """The remedy's commands are all that is to be done."""


@dataclass(frozen=True)
class Row:
    """One thing that can be wrong, and what the doctor is to say and to advise."""

    check: str
    broken: str
    """How, in words."""
    by: str | Callable[[Workspace], None] | Template
    """What breaks it: a script for root in the workspace, something outside of it, or the template."""
    code: str
    """Of the finding; no other is to be found."""
    remedy: str
    """Part of the remedy: of its text, or of a command."""
    status: str = "failure"
    cause: str | Callable[[Workspace], None] = _nothing
    """What the remedy's text asks for beside its commands ("fix what its log says"): a script for root
    in the workspace, or something outside of it."""
    user: str = "coder"
    """Who calls the doctor, and pastes its commands."""
    evidence: str = ""
    """Part of a line that has to be in the evidence: what says why."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Of the shell in which the doctor is called."""
    shell: str = "exec bash"
    """How the shell is started, for shells that lack something."""
    after: str = "true"
    """A script for root that takes away what the row needed and is not a part of its remedy."""


def look(
    space: Workspace | KubernetesWorkspace, *options: str, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The doctor's JSON report, as the user sees the workspace."""
    done = space.exec("ws-doctor", "--json", *options, env=dict(env or {}))
    assert done.returncode in {0, 1}, done.stderr
    return parsed(done.stdout)


def parsed(document: str) -> dict[str, Any]:
    """A JSON report, which has to be as its schema says."""
    report = check_document(document)
    assert report["document"] == "ws-doctor"
    return report


def written(path: str, text: str) -> str:
    """The command by which root writes a file of the user's in the home; `text` is as printf(1) takes it."""
    place = f"/home/coder/{path}"
    return (
        f"sudo -u coder mkdir -p {shlex.quote(place.rpartition('/')[0])};"
        f" printf {shlex.quote(text)} | sudo -u coder tee {shlex.quote(place)}"
    )


def findings(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What is wrong, by the check's id."""
    found = {item["id"]: item["findings"] for item in report["checks"] if item["findings"]}
    crashed = {item["id"]: [item] for item in report["checks"] if item["status"] == "crashed"}
    return found | crashed


def failures(report: Mapping[str, Any]) -> list[str]:
    """The checks that failed."""
    return [item["id"] for item in report["checks"] if item["status"] in _BAD]


def prove(row: Row, space: Workspace) -> None:
    """Break, see it and nothing else, fix it as printed, see it gone.

    Raises:
        AssertionError: one of these is not so; the next row gets a new container and new volumes.
    """
    plan = copy.deepcopy((space.attributes, space.settings, space.agent_script))
    try:
        _prove(row, space, plan)
    except Exception:
        space.attributes, space.settings, space.agent_script = plan
        space.remove(volumes=True)
        space.boot()
        raise


def _prove(row: Row, space: Workspace, plan: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    if isinstance(row.by, Template):
        row.by.change(space)
        _restart(space, wait=row.by.boots)
        if row.by.boots:
            space.out(row.by.seen, user="root")
    else:
        _do(row.by, space)
    if row.evidence:
        space.out(f"{LOGGED} || true", user="root")  # the evidence may be a line of the journal
    before = _shell(space, row, [])
    finding = _expected(row, before)
    space.attributes, space.settings, space.agent_script = plan
    _do(row.cause, space)
    after = _apply(space, row, finding["remedy"])
    assert row.check not in findings(after), findings(after)
    space.out(row.after, user="root")
    left = findings(look(space))
    assert left == {}, f"the workspace is healthy again, for the next row: {left}"


def _do(what: str | Callable[[Workspace], None], space: Workspace) -> None:
    if callable(what):
        what(space)
    else:
        space.out(what, user="root")


def codes(report: Mapping[str, Any]) -> set[str]:
    """The codes of all findings; a check that crashed has that as its code."""
    found = {finding["code"] for item in report["checks"] for finding in item["findings"]}
    return found | {f"{item['id']}: crashed" for item in report["checks"] if item["status"] == "crashed"}


def _expected(row: Row, report: Mapping[str, Any]) -> dict[str, Any]:
    there = findings(report)
    assert codes(report) == {row.code}, there
    assert row.check in there, there
    status = next(item["status"] for item in report["checks"] if item["id"] == row.check)
    assert status == row.status, there[row.check]
    named: dict[str, Any] = there[row.check][0]
    advice = "\n".join(_advice(named["remedy"]))
    assert row.remedy in advice, named["remedy"]
    assert row.evidence in "\n".join(named["evidence"]), named["evidence"]
    for command in _commands(named["remedy"]):
        assert not set("<>") & set(command), f"a placeholder is a redirection: {command}"
    return named


def _advice(remedy: Mapping[str, Any] | None) -> list[str]:
    return [] if remedy is None else [remedy["text"], *remedy["commands"], *_advice(remedy["then"])]


def _commands(remedy: Mapping[str, Any] | None) -> list[str]:
    return [] if remedy is None else [*remedy["commands"], *_commands(remedy["then"])]


def _apply(space: Workspace, row: Row, remedy: Mapping[str, Any] | None) -> dict[str, Any]:
    """Do what the remedy says where it says it, and look again from the same shell."""
    pasted: list[str] = []
    while remedy is not None:
        match remedy["where"]:
            case "workspace":
                pasted += remedy["commands"]
            case "client" if remedy["commands"]:
                for command in remedy["commands"]:
                    _as_client(space, command)
            case "client":
                _restart(space)
            case "template" if remedy["then"] is None:
                _restart(space)
            case "host":
                assert row.cause is not _nothing, "what is done on the host is for the row to do"
        remedy = remedy["then"]
    return _shell(space, row, pasted)


def _as_client(space: Workspace, command: str) -> None:
    """What Coder's command line does, by the engine."""
    program, verb, *options, name = shlex.split(command)
    assert program == "coder"
    workspace = space.settings["workspace"]
    names = {workspace["id"], workspace["name"], f"{workspace['owner']}/{workspace['name']}"}
    match verb:
        case "restart" | "update":
            assert name in names, command
            assert options in ([], ["--always-prompt"]), command
            _restart(space)
        case "stop":
            owner, _, name = name.rpartition("/")
            labels = [
                "--filter",
                f"label=coder.owner={owner}",
                "--filter",
                f"label=coder.workspace_name={name}",
            ]
            stopped = space.engine.docker("ps", "-q", *labels).stdout.split()
            assert stopped, command
            space.engine.docker("rm", "-f", *stopped)
        case _:
            raise AssertionError(command)


def _restart(space: Workspace, *, wait: bool = True) -> None:
    """A new container of the same plan: all that a restart of a workspace keeps is its volumes."""
    space.remove()
    space.boot(wait=wait)


def _shell(space: Workspace, row: Row, commands: list[str]) -> dict[str, Any]:
    """Paste the commands into a shell of the user, and look from there."""
    script = "\n".join([*commands, f"echo '{_MARK}'", "ws-doctor --json", ""])
    done = space.exec("bash", "-c", row.shell, user=row.user, env=dict(row.env), stdin=script.encode())
    said, mark, report = done.stdout.partition(f"{_MARK}\n")
    assert mark, f"{said}{done.stderr}"
    try:
        return parsed(report)
    except ValueError as error:
        raise AssertionError(f"no report: {report}{done.stderr}") from error
