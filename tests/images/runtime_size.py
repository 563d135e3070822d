"""What the runtime adds to Debian with systemd, in KiB: run in the base image, prints three numbers.

Python itself; the packages that the runtime needs beside it, with the runtime; and both, compressed as a
registry keeps them. Counted are the files that are there, with the byte code that Debian compiles.
"""

import io
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

OURS = Path("/usr/local/lib/python3.13/dist-packages")
PYTHON = ("python3",)
NEEDS = ("click", "javaproperties", "pydantic", "systemd", "watchdog")


def query(form: str) -> list[list[str]]:
    words = ["dpkg-query", "-W", "-f", form]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def names(field: str) -> list[list[str]]:
    """The alternatives of each relation of a field."""
    relations = [relation.split("|") for relation in field.split(",") if relation.strip(" ,")]
    return [[re.split(r"[ (:]", name.strip())[0] for name in relation] for relation in relations]


def closure(packages: Iterable[str]) -> set[str]:
    """Packages with all that they need."""
    rows = query("${Package}\t${Depends},${Pre-Depends}\t${Provides}\n")
    needs = {row[0]: names(row[1]) for row in rows}
    provided = {relation[0]: row[0] for row in rows for relation in names(row[2])}
    found: set[str] = set()
    left = list(packages)
    while left:
        name = left.pop()
        package = name if name in needs else provided.get(name, "")
        if package and package not in found:
            found.add(package)
            left += [each for relation in needs[package] for each in relation[:1]]
    return found


def files(packages: Iterable[str]) -> Iterator[Path]:
    for package in packages:
        listed = subprocess.run(["dpkg", "-L", package], check=True, capture_output=True, text=True).stdout
        for file in map(Path, listed.splitlines()):
            if file.is_file() and not file.is_symlink():
                yield file
                yield from (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc")


def compressed(parts: Iterable[Path]) -> int:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w|gz", compresslevel=6) as tar:
        for part in parts:
            tar.add(part)
    return sink.tell()


if __name__ == "__main__":
    rows = query("${Package}\t${Essential}\t${Priority}\n")
    basis = [row[0] for row in rows if row[1] == "yes" or row[2] in {"required", "important"}]
    debian = closure([*basis, "systemd", "systemd-sysv", "dbus"])
    python = closure(PYTHON) - debian
    rest = closure([f"python3-{name}" for name in NEEDS] + ["socat"]) - python - debian
    own = [file for file in OURS.rglob("*") if file.is_file()]
    first, second = set(files(python)), {*files(rest), *own}
    for size in (
        sum(file.stat().st_size for file in first),
        sum(file.stat().st_size for file in second),
        compressed(sorted(first | second)),
    ):
        print(size >> 10)
