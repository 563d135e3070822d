"""The generated parts of the documentation; tests compare them with what is committed."""

import json

from benchmarks import kubernetes
from coder_ws_runtime.cli import contract
from coder_ws_runtime.doctor.catalogue import CHECKS
from devtools import picture, reference, rooms
from devtools.shell import ROOT, say

IN_PART = ("docs/architecture.md", "docs/doctor.md", "docs/kubernetes.md")
"""Pages that people write, with a generated part between marks."""
REFERENCE = ROOT / "docs/reference"
MAN = ROOT / "docs/man"


def generated() -> dict[str, str]:
    """What is generated: each file's text, by its path relative to the checkout."""
    files: dict[str, str] = {}
    for document in contract.DOCUMENTS:
        name = document.replace(" --", "-").replace(" ", "-")
        schema = json.dumps(contract.schema(document), indent=2)
        files[f"docs/reference/json/{name}.schema.json"] = f"{schema}\n"
    for program in reference.PROGRAMS:
        files[f"docs/reference/{program}.md"] = reference.markdown(program)
        for name, page in reference.man_pages(program).items():
            files[f"docs/man/{name}"] = page
    files["docs/architecture.md"] = rooms.with_diagrams((ROOT / "docs/architecture.md").read_text())
    files["docs/doctor.md"] = _with_checks((ROOT / "docs/doctor.md").read_text())
    files["docs/kubernetes.md"] = kubernetes.with_figures((ROOT / "docs/kubernetes.md").read_text())
    files[picture.PICTURE] = picture.svg(picture.RECORD.read_text())
    return files


def _with_checks(page: str) -> str:
    """A page with the table of all checks between its marks."""
    before, begin, rest = page.partition("<!-- begin of the checks")
    mark, _, rest = rest.partition("-->\n")
    _, end, after = rest.partition("<!-- end of the checks -->")
    rows = [f"| `{item.id}` | {item.explanation} |" for item in CHECKS]
    table = "\n".join(["| check | what it verifies |", "| --- | --- |", *rows])
    return f"{before}{begin}{mark}-->\n\n{table}\n\n{end}{after}"


def stale() -> list[str]:
    """Files of a generated kind that nothing generates any longer."""
    kinds = (*REFERENCE.glob("json/*.schema.json"), *MAN.glob("*.1"))
    return sorted(
        str(file.relative_to(ROOT)) for file in kinds if str(file.relative_to(ROOT)) not in generated()
    )


def main() -> None:
    """Write all of it, and remove what is stale."""
    for name in stale():
        (ROOT / name).unlink()
    files = generated()
    for name, text in files.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text)
    say(f"wrote {len(files)} generated files below docs")


if __name__ == "__main__":
    main()
