"""Which lines of a log say why."""

import pytest

from coder_ws_runtime.doctor.logs import Record, reasons

ROWS = {
    "the reason is not the last line": (
        ["cloning", "fatal: could not read Username", "cleaning up", "done with cleaning up"],
        ["fatal: could not read Username"],
    ),
    "what systemd says of every unit is left out": (
        [
            "Starting ws-hooks.service - Post-create hooks...",
            "error: no such file",
            "ws-hooks.service: Main process exited, code=exited, status=1/FAILURE",
            "ws-hooks.service: Failed with result 'exit-code'.",
            "Failed to start ws-hooks.service - Post-create hooks.",
        ],
        ["error: no such file"],
    ),
    "control groups of old hosts are left out": (
        [
            "Failed to attach 189 to compat systemd cgroup '/docker/x', ignoring: No such file or directory",
            "hm",
        ],
        ["hm"],
    ),
    "why a program was not started is kept": (
        [
            "coder-agent.service: Failed at step EXEC spawning /bin/x: No such file or directory",
            "coder-agent.service: Failed with result 'exit-code'.",
        ],
        ["coder-agent.service: Failed at step EXEC spawning /bin/x: No such file or directory"],
    ),
    "no line tells": (["one", "two", "three", "four"], ["two", "three", "four"]),
    "the same again and again": (
        ["curl: (7) Failed to connect", "trying again", "curl: (7) Failed to connect"],
        ["curl: (7) Failed to connect"],
    ),
    "a traceback ends with its reason": (
        ["Traceback (most recent call last):", '  File "x", line 1', "KeyError: 'a'"],
        ["Traceback (most recent call last):", "KeyError: 'a'"],
    ),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("lines", "told"), ROWS.values(), ids=ROWS)
def test_the_lines_that_say_why(lines: list[str], told: list[str]) -> None:
    assert reasons(lines) == told


def test_the_level_of_a_record_counts() -> None:
    assert reasons([Record("so it goes", 3), Record("the end", 6)]) == ["so it goes"]
