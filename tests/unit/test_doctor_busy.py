"""The doctor on a busy machine: what starts, or is slow, is neither broken nor overlooked."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from coder_ws_runtime.doctor import home_walk, logs
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.checks import network
from coder_ws_runtime.doctor.checks.docker import server_version
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Verdict
from coder_ws_runtime.doctor.systemd import WATCH, WEB_SHELL, Unit
from coder_ws_runtime.system import budget, docker_api, resolver
from coder_ws_runtime.system.budget import Budget
from coder_ws_runtime.system.docker_api import NoAnswerError
from coder_ws_runtime.system.process import Completed
from tests.harness.tree import Tree, write

BY_ID = {item.id: item for item in CHECKS}


def context(tree: Tree, said: Mapping[str, str]) -> Context:
    """A workspace whose programs print this, by a word of their command line."""

    def run(argv: Sequence[str], **_: object) -> Completed:
        found = next((text for word, text in said.items() if word in argv), "")
        return Completed(tuple(argv), 0, found, "")

    return Context.of(tree.layout.root, {}, runner=run)


def look(tree: Tree, check: str, unit: str, **properties: str) -> Verdict:
    """What a check says of a unit that runs and has these properties."""
    own = {"Id": unit, "LoadState": "loaded", "ActiveState": "active", **properties}
    shown = "\n".join(f"{name}={value}" for name, value in own.items())
    return BY_ID[check].function(context(tree, {"systemctl": shown}))


def codes(verdict: Verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


# What starts --------------------------------------------------------------------------------------


def test_the_first_look_of_the_daemon(tree: Tree) -> None:
    """For systemd it is ready before, so that nothing waits for it."""
    assert codes(look(tree, "home.daemon", WATCH)) == []
    lost = look(tree, "home.daemon", WATCH, StatusText="8 paths, 0 healed, 0 with problems")
    assert codes(lost) == ["home.daemon-no-report"]


@pytest.mark.parametrize(("age", "told"), [(10.0, []), (60.0, ["network.web-shell-silent"])])
def test_the_start_of_web_shell(
    age: float, told: list[str], tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(network, "PORT", str(nobody.getsockname()[1]))
        started = str(int((time.monotonic() - age) * 1e6))
        found = look(tree, "network.web-shell", WEB_SHELL, ExecMainStartTimestampMonotonic=started)
    assert codes(found) == told


# What is slow -------------------------------------------------------------------------------------


class Clocks:
    """A thread that gets the processor for a part of the time."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now

    def thread_time(self) -> float:
        return self.now * self.share


@pytest.mark.parametrize(("share", "whole"), [(0.0, True), (0.25, True), (1.0, False)])
def test_a_walk_sees_as_much_if_others_have_the_processor(
    share: float, *, whole: bool, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(share)
    monkeypatch.setattr(
        budget, "time", SimpleNamespace(monotonic=clocks.monotonic, thread_time=clocks.thread_time)
    )
    write(tree.home, {f"{number}/file": "x" for number in range(80)})
    seen = home_walk.walk(tree.home, (), 0.0, Budget(0.25))
    assert (seen.whole, len(seen.sizes) == 80) == (whole, whole)


def test_a_walk_ends_all_the_same(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where each look waits for a disk."""
    clocks = Clocks(0.0)
    monkeypatch.setattr(
        budget, "time", SimpleNamespace(monotonic=clocks.monotonic, thread_time=clocks.thread_time)
    )
    write(tree.home, {f"{number}/file": "x" for number in range(800)})
    assert not home_walk.walk(tree.home, (), 0.0, Budget(0.25)).whole


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(resolver, "_PORT", server.getsockname()[1])
        yield server


def test_a_name_server_that_misses_a_query(name_server: socket.socket) -> None:
    def answer_the_second() -> None:
        name_server.recv(512)
        query, client = name_server.recvfrom(512)
        name_server.sendto(query, client)

    threading.Thread(target=answer_the_second, daemon=True).start()
    assert resolver.answering("127.0.0.1", 3.0)


@pytest.mark.usefixtures("name_server")
def test_a_name_server_that_is_mute() -> None:
    assert not resolver.answering("127.0.0.1", 0.3)


def test_a_daemon_that_does_not_answer_is_asked_once(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check would wait as long again, and be cut off."""
    asked: list[str] = []

    def get(_: Path, resource: str) -> object:
        asked.append(resource)
        raise NoAnswerError("does not answer within 8 s")

    monkeypatch.setattr(docker_api, "get", get)
    seen = context(tree, {})
    for _ in range(3):
        with pytest.raises(NoAnswerError):
            server_version(seen)
    assert asked == ["/version"]


def test_why_a_unit_ends_again_and_again_is_told_by_its_earlier_run(tree: Tree) -> None:
    """The present one has only begun."""

    def line(text: str) -> str:
        return json.dumps({"MESSAGE": text, "PRIORITY": "6"})

    begun = line("Started web-shell.service - web-shell.")
    earlier = line("error: the port is taken")
    seen = context(tree, {"-u": f"{earlier}\n{begun}", "journalctl": begun})
    unit = {"InvocationID": "1f", "ExecMainStartTimestampMonotonic": str(int(time.monotonic() * 1e6))}
    assert logs.why(seen, Unit(WEB_SHELL, {**unit, "NRestarts": "1"})) == ["error: the port is taken"]
    assert logs.why(seen, Unit(WEB_SHELL, {**unit, "NRestarts": "0"})) == []
