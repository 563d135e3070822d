"""What a linter for Terraform asks of main.tf, beside `terraform fmt` and `terraform validate`."""

import re
from pathlib import Path

import pytest

from tests.template.standin.installation import ROOT
from tests.template.terraform import Plan

TEXT = re.sub(r"(?m)^\s*#.*$", "", Path(ROOT / "main.tf").read_text())
# The kind of a block, and how an expression names what it declares.
NAMED = [
    (r'^variable "([\w-]+)"', "var.{}"),
    (r'^data "([\w-]+)" "([\w-]+)"', "data.{}.{}"),
    (r'^resource "(docker_[\w-]+|coder_agent)" "([\w-]+)"', "{}.{}"),
    (r"^  ([\w-]+) += ", "local.{}"),
]
# Coder reads these; the container is what all of it is for.
USED_BY_OTHERS = {"docker_container.workspace"}


def declared() -> set[str]:
    """What main.tf declares and something in it should use, as an expression names it."""
    found = set()
    for pattern, name in NAMED:
        text = "".join(locals_blocks()) if name.startswith("local") else TEXT
        for match in re.finditer(pattern, text, re.MULTILINE):
            found.add(name.format(*match.groups()))
    return {name for name in found if not name.startswith("data.coder_workspace_preset.")}


def locals_blocks() -> list[str]:
    return re.findall(r"^locals [{]\n(.*?)^}", TEXT, re.MULTILINE | re.DOTALL)


def test_nothing_is_declared_in_vain() -> None:
    names = declared()
    assert {"var.arch", "local.ports", "data.coder_parameter.memory", "coder_agent.main"} <= names
    unused = {name for name in names if not re.search(rf"{re.escape(name)}(?![\w-])", TEXT)}
    assert unused - USED_BY_OTHERS == set()


def test_every_variable_has_a_type_and_says_what_it_is_for() -> None:
    blocks = re.findall(r'^variable "(\w+)" [{]\n(.*?)^}', TEXT, re.MULTILINE | re.DOTALL)
    assert blocks
    for name, block in blocks:
        assert re.search(r"^  type +=", block, re.MULTILINE), name
        assert re.search(r'^  description +=\s*"\w', block, re.MULTILINE), name
        assert re.search(r"^  default +=", block, re.MULTILINE), f"{name}: a push needs no answers"


def test_every_parameter_has_help_and_may_change(plan: Plan) -> None:
    parameters = {
        one["name"]: one["expressions"]
        for one in plan.json["configuration"]["root_module"]["resources"]
        if one["type"] == "coder_parameter"
    }
    orders = [one["order"]["constant_value"] for one in parameters.values()]
    assert len(set(orders)) == len(orders)
    for name, one in parameters.items():
        assert {"display_name", "description", "icon", "form_type", "default"} <= one.keys(), name
        assert one["mutable"] == {"constant_value": True}, name
        assert one["name"] == {"constant_value": name}


def test_the_documentation_has_each_variable_and_parameter() -> None:
    rows = "".join(re.findall(r"^\| (`.*?`) \|", (ROOT / "docs/template.md").read_text(), re.MULTILINE))
    documented = set(re.findall(r"`(\w+)`", rows))
    names = {name.rpartition(".")[2] for name in declared() if re.match(r"var|data.coder_parameter", name)}
    # The last is a parameter of a module.
    assert documented == names | {"jetbrains_ides"}


def test_the_registry_s_page_has_each_variable() -> None:
    """The front matter is what github.com/coder/registry validates (cmd/readmevalidation)."""
    page = (ROOT / "docs/registry/docker/README.md").read_text()
    _, front, body = page.split("---\n", 2)
    keys = {line.partition(":")[0] for line in front.splitlines()}
    assert {"display_name", "description", "icon", "tags"} <= keys
    assert keys <= {"display_name", "description", "icon", "tags", "verified", "supported_os"}
    assert body.lstrip().startswith("# ")
    variables = body.partition("## Variables")[2]
    names = {name.removeprefix("var.") for name in declared() if name.startswith("var.")}
    assert set(re.findall(r"`(\w+)`", variables)) == names


def test_terraform_has_a_lower_bound() -> None:
    assert re.findall(r'^  required_version = ">= \d+[.]\d+"', TEXT, re.MULTILINE)


def test_every_module_and_provider_has_a_version(plan: Plan) -> None:
    root = plan.json["configuration"]
    modules = root["root_module"]["module_calls"]
    assert {name: one.get("version_constraint", "")[:2] for name, one in modules.items()} == dict.fromkeys(
        modules, "~>"
    )
    providers = [one for one in root["provider_config"].values() if "module_address" not in one]
    own = {one["name"]: one.get("version_constraint", "") for one in providers}
    assert {name for name in ("coder", "docker") if "<" in own[name]} == {"coder", "docker"}


@pytest.mark.parametrize(
    ("habit", "pattern"),
    [
        ("a text that is one interpolation", r'= "\$\{[^{}"]*\}"$'),
        ("an index as an attribute", r"[a-z_\]][.]\d+\b"),
        ("a version without a bound", r'^ +version += ">= [^,]*"$'),
        ("a provisioner", r"^ +provisioner "),
        ("what runs on the provisioner", r"local-exec|null_resource|terraform_data|\bexternal\b +\""),
        ("a comment that is no comment", r"^\s*//"),
    ],
)
def test_there_is_not(habit: str, pattern: str) -> None:
    assert re.findall(pattern, TEXT, re.MULTILINE) == [], habit
