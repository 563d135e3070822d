"""What is measured: one row a figure, with its baseline and its aim."""

from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.doctor.glance import MAX_AGE


class Unit(Enum):
    """What a figure's aim is about."""

    RATIO = "ratio to the baseline"
    SECONDS = "seconds"
    EXTRA_MILLISECONDS = "milliseconds more than the baseline"
    MILLISECONDS = "milliseconds"
    MEBIBYTES = "MiB"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure."""

    name: str
    title: str
    baseline: str
    """What it is compared with in the same run; empty: an absolute figure."""
    aim: float
    unit: Unit
    inside: tuple[str, ...] = ()
    """The script of benchmarks/inside and its arguments, for what is measured in one booted workspace."""
    times_a_day: int = 0
    """How often a workspace runs it in a day, if that is what it costs."""
    complete_every: int = 1
    """Of how many of these times one is slower, because it runs all checks."""
    obstacle: str = ""
    """What stands in the way of the aim, and what was tried; published while the aim is missed."""


SHELL = "a resolver in bash and jq"
# What the obstacles of several figures have in common, measured on the same machine with the same image.
_IMPORTS = (
    "Of 40 ms of processor time with nothing to do, a bare interpreter takes 10, the standard library's"
    " modules 11 (re, enum, pathlib, json and what they load), our 70 modules 13, and the work 5. Done"
    " already: manifests compiled in the image; no click, no pydantic, no typing; copying and the attic are"
    " loaded by runs that need them; dataclasses are compiled when they are used; no garbage collection"
    " during imports; the process ends without taking Python apart. Tried without gain: no garbage"
    " collection at all, and a start without the site module."
)
_SEEDING = (
    "`cp` does one of five things. Of 2.6 s for 20,000 files of the image, a look at all of them for what"
    " cannot be moved and who writes takes 0.3, the copy 0.8, the sync 0.2, two checks that nothing has"
    " changed 0.3, the removal of the source 0.6 and the records that a kill would need 0.2. `rm -rf` of the"
    " same files alone takes 0.65, and 1.7 to 2.4 if the container wrote them, because this disk discards"
    " each block at once. Done already: up to four processes do all of it (3.7 s with one, four times each"
    " in turn). Tried with less gain: four threads, of which only one at a time runs Python."
)
_DOCTOR = (
    "The interpreter and the standard library take 28 ms of processor time, the imports of the checks 35"
    " more, the checks 31, `systemctl` 14, `sudo` 8 and `journalctl` 5. Done already: imports only where a"
    " finding needs them, no click (34 of 219 ms of processor time, in turn with a call that loads it),"
    " versions of tools asked again only when the file changed, no curl. Tried without gain: to ask systemd"
    " while the checks are imported."
)

_GLANCE = (
    "Of 19 ms of processor time, a bare interpreter takes 10, the start of the command and its 13 small"
    " modules 2, `systemctl list-units` 6 and `touch`, which shows whether the volume accepts changes, 1."
    " What systemd and its bus do for `systemctl` is not in the figure. Not done: to remember a complete look"
    " for 5 minutes in place of 10, which takes 46 ms on average in place of 33."
)


FIGURES = (
    Figure(
        "first-start",
        "resolve, the image's manifests, first start in a new container",
        SHELL,
        0.8,
        Unit.RATIO,
        obstacle=_IMPORTS,
    ),
    Figure(
        "first-start-16", "the same, 16 new containers at once", SHELL, 0.8, Unit.RATIO, obstacle=_IMPORTS
    ),
    Figure(
        "first-start-loaded",
        "the same, on a machine with two busy loops a core",
        SHELL,
        0.8,
        Unit.RATIO,
        obstacle=_IMPORTS,
    ),
    Figure(
        "again",
        "resolve, the image's manifests, everything in place",
        SHELL,
        0.4,
        Unit.RATIO,
        ("resolve", "again", "0", "15"),
        obstacle=_IMPORTS,
    ),
    Figure(
        "first-1000",
        "resolve, 1,000 paths, first start",
        SHELL,
        0.05,
        Unit.RATIO,
        ("resolve", "first", "1000", "3"),
        obstacle="Of 0.25 s of processor time, pydantic takes 0.11 to validate a manifest that"
        " `home-persist compile` has not compiled, and the start of the program 0.05. The rest is 0.09 ms a"
        " path, 0.04 of them in mkdir and symlink. Tried without gain: two and four threads.",
    ),
    Figure(
        "again-1000",
        "resolve, 1,000 paths, everything in place",
        SHELL,
        0.03,
        Unit.RATIO,
        ("resolve", "again", "1000", "3"),
    ),
    Figure(
        "walk-10000",
        "resolve, 10,000 paths, everything in place",
        "Python that calls lstat(2) on each path",
        2.0,
        Unit.RATIO,
        ("resolve", "walk", "10000", "7"),
        obstacle="A path takes three system calls and 39 µs in all, most of it for its rules, its plan and"
        " its report; the baseline makes one call.",
    ),
    Figure(
        "boot",
        "from PID 1 to the agent's start",
        "the same image without our units",
        120.0,
        Unit.EXTRA_MILLISECONDS,
        obstacle="The agent waits for resolve, which takes 36 ms of processor time, and for docker-group,"
        " which takes 28; systemd takes 20 to 40 ms to set up the sandbox of resolve. All run while"
        " systemd prepares the rest, which otherwise has both processors. Done already: a smaller sandbox,"
        " no other program before resolve, units that do not wait for systemd's preparation, a higher"
        " priority for resolve, and an agent that waits for neither the daemon nor jetbrains"
        " (docs/decisions/boot-sandbox.md). Tried, as the lower quartile of 14 boots each on a machine with"
        " other load: without `ProtectSystem=`, 21 ms less; without filters of system calls too, no less.",
    ),
    Figure(
        "seed-image",
        "seeding 20,000 small files of the image durably, in a new container",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        obstacle=_SEEDING,
    ),
    Figure(
        "seed-20000",
        "seeding 20,000 small files durably that the container's own layer has",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "small", "20000", "5"),
        obstacle=_SEEDING,
    ),
    Figure(
        "seed-50000",
        "the same, 50,000 files",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "small", "50000", "3"),
        obstacle=_SEEDING,
    ),
    Figure(
        "seed-1g",
        "seeding one file of 1 GiB durably",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "large", "1024", "3"),
        obstacle="The source is removed, too, which `cp` does not do: unlink takes 0.23 s. Both copy for"
        " 0.4 s. The disk writes while we read on, so the sync takes 0.04 s (0.45 before), and the start of"
        " each write 0.2 in all. A start of the program takes 0.1.",
    ),
    Figure(
        "seed-sparse",
        "seeding a sparse file of 8 GiB durably",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "sparse", "8192", "3"),
        obstacle="The baseline takes 10 ms, less than the start of an interpreter. " + _IMPORTS,
    ),
    Figure(
        "doctor",
        "the doctor in a healthy workspace",
        "a bare Python",
        0.1,
        Unit.SECONDS,
        ("doctor", "whole", "15"),
        obstacle=_DOCTOR,
    ),
    Figure(
        "doctor-metadata",
        "the doctor's line for Coder's agent metadata, in a minute in which nothing changes",
        "a bare Python",
        0.05,
        Unit.SECONDS,
        ("doctor", "metadata", "15"),
        times_a_day=24 * 60,
        complete_every=int(MAX_AGE / 60),
        obstacle=_GLANCE,
    ),
    Figure(
        "daemon",
        "the daemon: memory; wake-ups while nothing happens",
        "",
        20.0,
        Unit.MEBIBYTES,
        ("daemon", "rest", "60"),
    ),
    Figure(
        "daemon-100",
        "100 workspaces on one host: memory of each, with its share of what all use; wake-ups of all",
        "",
        20.0,
        Unit.MEBIBYTES,
        ("daemon", "host", "60"),
    ),
    Figure(
        "heal",
        "an atomic save until the link is back, after the 50 ms in which the path has to be quiet",
        "",
        5.0,
        Unit.MILLISECONDS,
        ("daemon", "heal", "60"),
        obstacle="A heal makes some 150 system calls until the link is back, four of them fsync, which take"
        " 0.3 to 0.6 ms each, and now and then as long as the disk needs for what other programs have"
        " written. The rest is Python.",
    ),
    Figure(
        "heal-scale",
        "the same with 2,000 paths, 50,000 files below one of them and 3,000 batches in the attic",
        "",
        5.0,
        Unit.MILLISECONDS,
        ("daemon", "scale", "60"),
        obstacle="As for one path, and 1.7 ms more. 1.1 of it is the list of the names of 3,000 batches, so"
        " that the new one is the latest whatever a host's clock says.",
    ),
)

BY_NAME = {figure.name: figure for figure in FIGURES}
