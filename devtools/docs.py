"""The generated parts of the documentation; tests compare them with what is committed."""

import json

from devtools.shell import ROOT, say

SCHEMAS = ROOT / "docs/reference/json"


def generate() -> None:
    """Write what is generated from the code: the schema of each JSON document."""
    from coder_ws_runtime.cli import contract

    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for file in SCHEMAS.glob("*.schema.json"):
        file.unlink()
    for document in contract.DOCUMENTS:
        name = document.replace(" --", "-").replace(" ", "-")
        (SCHEMAS / f"{name}.schema.json").write_text(json.dumps(contract.schema(document), indent=2) + "\n")
    say(f"wrote {SCHEMAS.relative_to(ROOT)}")


if __name__ == "__main__":
    generate()
