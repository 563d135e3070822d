"""What both templates share: main.tf has it, and kubernetes/main.tf has the same text.

A template is pushed as one directory, so neither can take a part from the other. This copies the shared parts
from main.tf into kubernetes/main.tf (`python -m tests.template.shared`); a test keeps them equal.
"""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKER, KUBERNETES = ROOT / "main.tf", ROOT / "kubernetes/main.tf"

DIFFERENT = frozenset(
    {
        # Of the same name, and about something else there.
        "terraform",
        "variable image_repository",
        "variable image_digests",
        "variable arch",
        "variable max_cpus",
        "resource coder_metadata workspace",
        "local digest",
        "local image",
        "local on_host",
        "local engine_refusals",
        "local access_url",
        "local init_script",
        "local settings",
    }
)
DOCKER_ONLY = frozenset(
    {
        "variable pin_image",
        "variable registry_config",
        "variable docker_host",
        "variable docker_socket",
        "variable home_volume",
        "variable engine_knows_all_workspaces",
        "variable shared_volume",
        "provider docker",
        "data coder_parameter additional_ports",
        "local taken_over",
        "local engine",
        "local socket",
        "local in_registry",
        "local repository",
        "local registry",
        "local registry_config_fits",
        "local named",
        "local port_pattern",
        "local port_texts",
        "local ports",
        "local bad_ports",
        "local port_owners",
        "local double_ports",
        "local turned_ports",
        "local coder_ports",
        "local taken_ports",
        "local volumes",
        "data docker_registry_image workspace",
        "data docker_image local",
        "data docker_containers engine",
        "resource docker_image workspace",
        "resource docker_container workspace",
        "removed",
    }
)
"""What has no place on Kubernetes. Whatever main.tf gets must be here, or in both."""

_COMMENT = r"(?:^{indent}#[^\n]*\n)*"
_BLOCK = re.compile(
    _COMMENT.format(indent="") + r'^(?P<head>[a-z]+(?: "[^"]+")*) \{(?:\}|\n.*?^\})\n',
    re.MULTILINE | re.DOTALL,
)
_LOCAL = re.compile(
    _COMMENT.format(indent="  ")
    + r"^  (?P<name>\w+) += [^\n]*\n(?:(?:^    [^\n]*| *)\n)*(?:^  [\])}][^\n]*\n)?",
    re.MULTILINE,
)


def parts(text: str) -> dict[str, str]:
    """The blocks and the local values of a template, by name, with the comments right above them."""
    found = {}
    for block in _BLOCK.finditer(text):
        name = block["head"].replace('"', "")
        if name != "locals":
            found[name] = block[0]
            continue
        body = block[0].partition("{\n")[2].removesuffix("}\n")
        for one in _LOCAL.finditer(body):
            found[f"local {one['name']}"] = one[0].strip("\n") + "\n"
    return found


def unaligned(text: str) -> str:
    """The same without the blanks by which `terraform fmt` aligns a line with its neighbours."""
    return re.sub(r"^( *[\w.\"-]+) += ", r"\1 = ", text, flags=re.MULTILINE)


def shared(docker: str, kubernetes: str) -> list[str]:
    """The names of what both have and should have alike."""
    return [name for name in parts(docker) if name in parts(kubernetes) and name not in DIFFERENT]


def unequal(docker: str, kubernetes: str) -> list[str]:
    """The names of what is shared and differs."""
    ours, theirs = parts(docker), parts(kubernetes)
    return [name for name in shared(docker, kubernetes) if unaligned(ours[name]) != unaligned(theirs[name])]


def undecided(docker: str, kubernetes: str) -> list[str]:
    """The names of what main.tf alone has, and nothing says that this is meant."""
    return [name for name in parts(docker) if name not in parts(kubernetes) and name not in DOCKER_ONLY]


def copied(docker: str, kubernetes: str) -> str:
    """kubernetes/main.tf with what is shared taken from main.tf."""
    for name in unequal(docker, kubernetes):
        kubernetes = kubernetes.replace(parts(kubernetes)[name], parts(docker)[name])
    return kubernetes


def main() -> None:
    """Copy what is shared, and say what is undecided."""
    docker, kubernetes = DOCKER.read_text(), KUBERNETES.read_text()
    for name in unequal(docker, kubernetes):
        print(f"copied: {name}")
    for name in undecided(docker, kubernetes):
        print(f"undecided: {name} is in main.tf alone; copy it, or name it in DOCKER_ONLY")
    KUBERNETES.write_text(copied(docker, kubernetes))
    if terraform := shutil.which("terraform"):
        subprocess.run([terraform, "fmt", KUBERNETES], check=True, capture_output=True)


if __name__ == "__main__":
    main()
