"""Remember a complete look that found nothing wrong: the questions that a glance asks, with their answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor import glance, systemd
from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.checks.links import is_linked
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.volume import Usable, usable
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.persist.manifest.files import manifest_files, user_files
from coder_ws_runtime.system.cgroups import own_groups

_UNITS = (*systemd.UNITS, systemd.DOCKER_ENGINE, systemd.JOURNAL, systemd.MULTI_USER, *systemd.RESCUE)
_RESTING = "inactive"
"""systemctl(1) list-units leaves these units out."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is remembered if the checks find nothing."""

    began: float
    """When the complete look began, by the clock of `glance`."""
    answers: dict[str, str]
    """By question, in the order in which they are asked."""


def observe(context: Context) -> Observation | None:
    """Ask all questions but that about units, before the checks: what changes meanwhile shows at a glance.

    Returns:
        None: nothing is remembered here, or the volume cannot be used.
    """
    if not _can_remember(context) or context.ask(usable) is not Usable.YES:
        return None
    began = glance.now()
    try:
        return Observation(began, {question: glance.answer(question) for question in _questions(context)})
    except (OSError, UserError):  # a check reports it
        return None


def remember(context: Context, before: Observation) -> None:
    """Store the answers, after checks that found nothing. A file that cannot be written is not an error.

    Args:
        context: the workspace. The answer about units is what systemd has answered to the checks.
        before: what was observed before the checks.
    """
    answers = {**before.answers, f"units {' '.join(_UNITS)}": _states(context)}
    if not all(answers.values()):
        forget(context)
        return
    body = "\0".join([str(before.began), *(part for pair in answers.items() for part in pair)])
    with contextlib.suppress(OSError):
        content = f"{glance.seal_of(body)}\0{body}".encode(errors="surrogateescape")
        replace_file(context.layout.doctor_memory, content, durable=False, mode=0o600)


def forget(context: Context) -> None:
    """Make the next look a complete one."""
    if _can_remember(context):
        with contextlib.suppress(OSError):
            context.layout.doctor_memory.unlink()


def _can_remember(context: Context) -> bool:
    """Whether this is a running workspace, and this process its user's: root trusts no file of the user's."""
    return context.live and context.uid != 0 and context.layout.runtime_dir.is_dir()


def _questions(context: Context) -> Iterator[str]:
    """Questions about what changes within minutes, or is changed by hand, and is cheap to ask."""
    layout = context.layout
    projects = [layout.root / context.settings.projects.lstrip("/")] if context.settings.projects else []
    groups = own_groups(layout)
    yield f"volume {layout.volume}"
    files = (
        Path(glance.__file__),
        layout.settings_file,
        layout.agent_init,
        layout.group_file,
        layout.passwd_file,
        layout.resolv_conf,
        layout.manifest_dir,
        *manifest_files(layout),
        *user_files(layout, context.settings.workspace.id),
        layout.unit_dir,
        layout.watch_unit.parent,
        layout.watch_wanted.parent,
    )
    yield from (f"file {file}" for file in files)
    for place in (layout.home, layout.volume, *projects, layout.tmp, layout.docker_socket):
        yield f"place {place}"
    for disk in (layout.root, layout.home, layout.volume, *projects, layout.tmp, layout.docker_data):
        yield f"room {disk}"
    for events in (groups / "memory.events", groups / "memory/memory.oom_control"):
        yield f"killed {events}"
    for unit in systemd.UNITS:  # systemd makes the link new at each start of the unit
        yield f"link {layout.unit_invocations}/invocation:{unit}"
    for entry in context.ask(declarations).entries:
        if is_linked(context, entry):
            yield f"link {layout.home / entry.path}"


def _states(context: Context) -> str:
    """The answer about units, as systemd gave it to the checks."""
    names = ("LoadState", "ActiveState", "SubState")
    rows = ((unit.name, *(unit[name] for name in names)) for unit in context.ask(systemd.answers).values())
    known = [row for row in rows if row[0] in _UNITS or row[2] == "failed"]
    return glance.units_text(row for row in known if row[2] != _RESTING)
