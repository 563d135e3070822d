"""What every test may ask for. What is missing fails in CI, and skips with the reason elsewhere."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from devtools import engine as engines
from devtools import images, needs, recorded
from devtools.engine import Engine
from devtools.workspace import Workspace

# A shell starts what runs in its background with SIGINT ignored, and all that is started from there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--needs", metavar="FILE", help="write what the collected tests need, as JSON")
    parser.addoption("--whole", action="store_true", help="all of what is otherwise a bounded share")


def missing(what: str) -> NoReturn:
    """Say that a test cannot run."""
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}", pytrace=False)
    pytest.skip(what)


def pytest_collection_finish(session: pytest.Session) -> None:
    """For `./dev`: write what the selected tests need (`--needs`)."""
    file = session.config.getoption("--needs")
    if file:
        engine_needed = any(_needs_engine(item) for item in session.items)
        programs = {name for item in session.items for name in _programs(item)}
        Path(file).write_text(json.dumps({"engine": engine_needed, "programs": sorted(programs)}))


def _needs_engine(item: pytest.Item) -> bool:
    return "engine" in getattr(item, "fixturenames", ()) or item.get_closest_marker("docker") is not None


def _programs(item: pytest.Item) -> list[str]:
    return [name for marker in item.iter_markers("programs") for name in marker.args]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say which program is missing, before a test stumbles over it."""
    for name in _programs(item):
        if shutil.which(name) is None:
            missing(f"{name}; ./dev test installs the package {needs.PACKAGES[name]}")


Tried = Callable[[str, int], None]


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Count what was really tried, e.g. ``tried("kill points tried", 44)``; the sums stand at the end."""
    return lambda name, count: record_property("tried", [name, count])


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all of it is to be tried, or a bounded share."""
    return bool(request.config.getoption("--whole"))


@pytest.fixture(scope="session")
def engine() -> Engine:
    """A Docker engine with the base image of this checkout."""
    found = engines.find()
    if found is None:
        missing("no Docker engine is running; ./dev test starts one")
    if not found.has_image(images.tag("base")):
        missing("the base image is not built; ./dev image base")
    return found


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this parallel worker, for names that must not collide."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture(scope="module")
def spaces(engine: Engine, worker: str) -> Iterator["Spaces"]:
    """Makes workspaces; all are removed with their volumes when the module's tests are over."""
    made = Spaces(engine, worker)
    yield made
    made.remove()


class Spaces:
    """Makes workspaces of a test module."""

    def __init__(self, engine: Engine, worker: str) -> None:
        self.engine = engine
        self.worker = worker
        self.made: list[Workspace] = []

    def new(
        self,
        name: str,
        *,
        owner: str = "ada",
        image: str = "",
        workspace_id: str = "",
        record: Path = recorded.RECORD,
    ) -> Workspace:
        """A workspace that is not booted yet. The same owner means the same home volume."""
        space = Workspace(
            self.engine,
            name,
            owner=f"{self.worker}-{owner}",
            image=image,
            workspace_id=workspace_id,
            record=record,
        )
        space.remove()
        self.made.append(space)
        return space

    def remove(self) -> None:
        for space in self.made:
            space.remove()
        for space in self.made:
            space.remove(volumes=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the fault harness tried, by its own counts."""
    sums: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            # The reports of set-up and teardown carry the same properties.
            if getattr(report, "when", "") != "call":
                continue
            for key, value in report.user_properties:
                if key == "tried":
                    sums[value[0]] = sums.get(value[0], 0) + value[1]
    if sums:
        terminalreporter.section("fault harness")
        for name, count in sums.items():
            terminalreporter.write_line(f"{name}: {count}")
