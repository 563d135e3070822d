"""The generated parts of the documentation; tests compare them with what is committed."""

import json

from coder_ws_runtime.cli import contract
from devtools import reference, rooms
from devtools.shell import ROOT, say

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
    architecture = ROOT / "docs/architecture.md"
    files["docs/architecture.md"] = rooms.with_diagrams(architecture.read_text())
    return files


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
