"""The user's JVM options of JetBrains IDEs: a library that does not exist keeps an IDE from starting."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.doctor.checks.environment import is_missing
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Finding, Remedy, failure
from coder_ws_runtime.system import text_file

_CONFIGURATIONS = ".config/JetBrains"
_LIBRARY = re.compile(r"^\s*-(?:javaagent|agentpath):([^=\r]*[^=\s])")


def problems(context: Context) -> Iterator[Finding]:
    """Files with an option that names a library which does not exist; one finding for each."""
    for file in _files(context.layout.home / _CONFIGURATIONS):
        lines = text_file.read(file).split("\n")
        named = {number: found[1] for number, line in enumerate(lines, 1) if (found := _LIBRARY.match(line))}
        missing = {number: path for number, path in named.items() if is_missing(path)}
        if missing:
            script = ";".join(f"{number}s/^/# /" for number in missing)
            command = f"sed -i --follow-symlinks {shlex.quote(script)} {shlex.quote(str(file))}"
            remedy = Remedy("comment these options out", (context.as_user(command),))
            problem = f"{file.parent.name} does not start: its options name a library that does not exist"
            evidence = [f"{file}, line {number}: {path}" for number, path in missing.items()]
            yield failure("jetbrains.options-dangling", problem, remedy, evidence=evidence, about=str(file))


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(directory.glob("*/*.vmoptions"))
    except OSError:
        return []
