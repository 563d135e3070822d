"""What is measured: one row a figure, with its baseline and its aim."""

from dataclasses import dataclass
from enum import Enum


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
    obstacle: str = ""
    """What stands in the way of the aim, and what was tried; published while the aim is missed."""


SHELL = "a resolver in bash and jq"

FIGURES = (
    Figure(
        "first-start",
        "resolve, the image's manifests, first start in a new container",
        SHELL,
        0.8,
        Unit.RATIO,
    ),
    Figure("first-start-16", "the same, 16 new containers at once", SHELL, 0.8, Unit.RATIO),
    Figure("first-start-loaded", "the same, on a machine with two busy loops a core", SHELL, 0.8, Unit.RATIO),
    Figure(
        "again",
        "resolve, the image's manifests, everything in place",
        SHELL,
        0.4,
        Unit.RATIO,
        ("resolve", "again", "0", "15"),
    ),
    Figure(
        "first-1000",
        "resolve, 1,000 paths, first start",
        SHELL,
        0.05,
        Unit.RATIO,
        ("resolve", "first", "1000", "3"),
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
    ),
    Figure(
        "boot",
        "from PID 1 to the agent's start",
        "the same image without our units",
        120.0,
        Unit.EXTRA_MILLISECONDS,
    ),
    Figure(
        "seed-20000",
        "seeding 20,000 small files durably",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "small", "20000", "5"),
    ),
    Figure(
        "seed-50000",
        "seeding 50,000 small files durably",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "small", "50000", "3"),
    ),
    Figure(
        "seed-1g",
        "seeding one file of 1 GiB durably",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "large", "1024", "3"),
    ),
    Figure(
        "seed-sparse",
        "seeding a sparse file of 8 GiB durably",
        "cp -a and sync",
        1.0,
        Unit.RATIO,
        ("seed", "sparse", "8192", "3"),
    ),
    Figure(
        "doctor",
        "the doctor in a healthy workspace",
        "a bare Python",
        0.1,
        Unit.SECONDS,
        ("doctor", "whole", "15"),
    ),
    Figure(
        "doctor-metadata",
        "the doctor's line for Coder's agent metadata",
        "a bare Python",
        0.05,
        Unit.SECONDS,
        ("doctor", "metadata", "15"),
    ),
    Figure(
        "heal",
        "an atomic save until the link is back, after the 50 ms in which the path has to be quiet",
        "",
        5.0,
        Unit.MILLISECONDS,
        ("daemon", "heal", "60"),
    ),
    Figure(
        "heal-scale",
        "the same with 2,000 paths, 50,000 files below one of them and 3,000 batches in the attic",
        "",
        5.0,
        Unit.MILLISECONDS,
        ("daemon", "scale", "60"),
    ),
    Figure(
        "daemon",
        "the daemon: memory; wake-ups while nothing happens",
        "",
        20.0,
        Unit.MEBIBYTES,
        ("daemon", "rest", "60"),
    ),
)

BY_NAME = {figure.name: figure for figure in FIGURES}
