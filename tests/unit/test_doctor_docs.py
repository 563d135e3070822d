"""The documentation knows every check: by what people see, and in the README's picture."""

import re
from pathlib import Path

from coder_ws_runtime.doctor.catalogue import CHECKS
from devtools import picture

DOCS = Path(__file__).parents[2] / "docs/doctor.md"


def test_troubleshooting_leads_to_every_check() -> None:
    """People look for what they see; each check is named under some symptom."""
    page = (DOCS.parent / "troubleshooting.md").read_text()
    assert [item.id for item in CHECKS if f"`{item.id}`" not in page] == []


def test_the_report_in_the_picture_has_every_check() -> None:
    """Its first lines name a category once: ``✓ docker.cli, socket``."""
    report = picture.plain(picture.RECORD.read_text()).partition("$ ws-doctor\n")[2].partition("$ ")[0]
    report = report.replace(",\n  ", ", ")  # a category that is wrapped
    shown = []
    for line in re.findall(r"^[✓-] ([a-z]+\.[a-z0-9-]+(?:, [a-z0-9-]+)*)", report, re.MULTILINE):
        category, _, names = line.partition(".")
        shown += [f"{category}.{name}" for name in names.split(", ")]
    assert sorted(shown) == sorted(item.id for item in CHECKS)
    assert f"{len(CHECKS)} checks in " in report
