"""Every check of the catalogue has a test that breaks what it looks at, and mends it as printed."""

import importlib.util
from pathlib import Path

from coder_ws_runtime.doctor.catalogue import CHECKS

TESTS = Path(__file__).parents[1]
FILES = (*sorted((TESTS / "workspace").glob("test_doctor_*.py")), TESTS / "unit/test_doctor_room.py")
# Breaks that take an engine of another kind.
ELSEWHERE = {"docker.engine": TESTS / "engines/test_podman.py"}


def cases(file: Path) -> set[str]:
    """The checks that have a row in a file of tests."""
    spec = importlib.util.spec_from_file_location(f"cases_of_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {row.check for row in getattr(module, "ROWS", ()) if hasattr(row, "check")}


def test_every_check_has_a_break_case() -> None:
    known = {item.id for item in CHECKS}
    broken = set[str]().union(*map(cases, FILES))
    assert broken - known == set(), "rows of checks that are no more"
    elsewhere = {check for check, file in ELSEWHERE.items() if check in file.read_text()}
    assert known - broken - elsewhere == set(), "give each a row: see docs/doctor.md, Adding a check"
