"""Scripts that wait inside a workspace until something is so, whatever the speed of the machine."""

import shlex

A_MOMENT = 60
"""Seconds, on a machine that is busy with other tests."""


def until(condition: str) -> str:
    """A script that ends when a command succeeds, and fails if it never does."""
    loop = f"until {condition} > /dev/null 2>&1; do sleep 0.1; done"
    return f"timeout {A_MOMENT} sh -c {shlex.quote(loop)}"


AGENT_RUNS = until("pgrep -x coder")
"""The stand-in for the agent has come to where it stays, and has said what it says before."""
LOGGED = "journalctl --sync"
"""For root: the journal has what programs have written so far."""


def sub_state(unit: str, state: str) -> str:
    """A script that waits until systemd has a unit in a state."""
    return until(f'test "$(systemctl show -P SubState {unit})" = {state}')
