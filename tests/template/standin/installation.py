"""A Terraform installation that finds the stand-ins, and nothing of the outside."""

import platform
import sys
from pathlib import Path

from tests.template.standin.serve import RULES

ROOT = Path(__file__).resolve().parents[3]
# The versions whose schemas are in tests/template/data.
VERSIONS = {
    "coder/coder": "2.17.0",
    "kreuzwerker/docker": "4.5.0",
    "hashicorp/http": "3.6.0",
    "hashicorp/kubernetes": "3.2.1",
}


def install(directory: Path, registry: str) -> dict[str, str]:
    """Write a mirror of the providers and Terraform's configuration for it.

    Args:
        directory: where; must exist.
        registry: the URL of the module registry, with a `/` at its end.

    Returns:
        what Terraform needs in its environment.
    """
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    for source in RULES:
        version = VERSIONS[source]
        place = directory / "mirror/registry.terraform.io" / source / version / f"linux_{machine}"
        place.mkdir(parents=True, exist_ok=True)
        program = place / f"terraform-provider-{source.partition('/')[2]}_v{version}"
        program.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={ROOT}\n"
            f"exec {sys.executable} -m tests.template.standin.serve {source} {directory}\n"
        )
        program.chmod(0o755)
    configuration = directory / "terraform.rc"
    configuration.write_text(
        f"""
disable_checkpoint = true
provider_installation {{
  filesystem_mirror {{ path = "{directory}/mirror" }}
}}
host "registry.coder.com" {{
  services = {{ "modules.v1" = "{registry}" }}
}}
"""
    )
    return {"TF_CLI_CONFIG_FILE": str(configuration), "TF_DISABLE_PLUGIN_TLS": "1"}
