"""docs/doctor.md has the table of all checks, as the catalogue has them."""

import re
from pathlib import Path

from coder_ws_runtime.doctor.catalogue import CHECKS

DOCS = Path(__file__).parents[2] / "docs/doctor.md"
BEGIN, END = "<!-- begin of the checks", "<!-- end of the checks -->"


def table() -> str:
    """The table that belongs between the marks."""
    rows = [f"| `{item.id}` | {item.explanation} |" for item in CHECKS]
    return "\n".join(["| check | what it verifies |", "| --- | --- |", *rows])


def test_the_table_is_that_of_the_catalogue() -> None:
    _, _, rest = DOCS.read_text().partition(BEGIN)
    there = rest.partition("-->\n")[2].partition(END)[0].strip()
    assert there == table(), f"put this between the marks of {DOCS.name}:\n{table()}"


def test_troubleshooting_leads_to_every_check() -> None:
    """People look for what they see; each check is named under some symptom."""
    page = (DOCS.parent / "troubleshooting.md").read_text()
    assert [item.id for item in CHECKS if f"`{item.id}`" not in page] == []


def test_the_report_in_the_readme_has_every_check() -> None:
    """Its first lines name a category once: ``✓ docker.cli, socket``."""
    report = (DOCS.parents[1] / "README.md").read_text().partition("$ ws-doctor\n")[2].partition("```")[0]
    shown = []
    for line in re.findall(r"^[✓-] ([a-z]+\.[a-z0-9-]+(?:, [a-z0-9-]+)*)", report, re.MULTILINE):
        category, _, names = line.partition(".")
        shown += [f"{category}.{name}" for name in names.split(", ")]
    assert sorted(shown) == sorted(item.id for item in CHECKS)
    assert f"{len(CHECKS)} checks in " in report
