"""The template's plan of one workspace, as far as it concerns what runs in it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.template.standin.coder import TOKEN
from tests.template.terraform import Plan, Terraform, TerraformError, ready

# Whatever boots the recorded workspace puts its own in their places.
IDENTITY = {
    "CODER_WORKSPACE_ID": "recorded-workspace-id",
    "CODER_WORKSPACE_NAME": "recorded-workspace",
    "CODER_WORKSPACE_OWNER": "recorded-owner",
    "CODER_WORKSPACE_OWNER_EMAIL": "recorded-owner@example.org",
    "CODER_WORKSPACE_OWNER_ID": "recorded-owner-id",
    "CODER_WORKSPACE_OWNER_NAME": "Recorded Owner",
    "CODER_AGENT_URL": "http://localhost:7080",
    TOKEN: "recorded-token",
}

Json = dict[str, Any]


def record(
    terraform: Terraform,
    parameters: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Json:
    """The container, the agent's environment and metadata, and the template's own scripts and apps.

    The agent is made first: its token and its script are known only then.

    Args:
        terraform: on the template.
        parameters: other than the defaults.
        environment: what Coder says of the workspace, other than `IDENTITY`.
        variables: of the template, other than the defaults.
    """
    identity = {**IDENTITY, **(environment or {})}
    state = terraform.directory / "record.tfstate"

    def planned_with(word: str) -> Plan:
        return terraform.plan(
            parameters,
            environment=identity,
            # Neither a registry nor an engine is asked for the image.
            variables={
                "image_repository": "recorded.example/coder-workspace",
                "pin_image": "false",
                **(variables or {}),
            },
            state=state,
            words=[word],
        )

    terraform.apply(planned_with("-target=coder_agent.main"), state, environment=identity)
    plan = planned_with("-refresh=false")
    state.unlink()
    resources = plan.json["planned_values"]["root_module"]["resources"]
    planned = {kind: [one["values"] for one in resources if one["type"] == kind] for kind in _KEPT}
    (container,) = planned["docker_container"]
    (made,) = planned["coder_agent"]
    recorded = {
        "container": container,
        "agent": {key: made[key] for key in _KEPT["coder_agent"]},
        "scripts": [{key: one[key] for key in _KEPT["coder_script"]} for one in planned["coder_script"]],
        "apps": [{key: one[key] for key in _KEPT["coder_app"]} for one in planned["coder_app"]],
    }
    found: dict[str, Any] = _set(recorded)
    return found


def _set(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What is set: the old SDK plans nothing as null or as an empty text, as it goes."""
    if isinstance(value, dict):
        return {key: _set(one) for key, one in value.items() if one not in (None, "", [], {})}
    return [_set(one) for one in value] if isinstance(value, list) else value


_KEPT = {
    "docker_container": (),
    "coder_agent": ("env", "metadata"),
    "coder_script": ("display_name", "run_on_start", "script", "start_blocks_login", "timeout"),
    "coder_app": ("command", "healthcheck", "slug", "url"),
}


def written(recorded: Json) -> str:
    """The text of a record's file."""
    return json.dumps(recorded, indent=2, sort_keys=True) + "\n"


def main(file: str) -> None:
    """Write the record of the template into a file."""
    try:
        with ready() as terraform:
            Path(file).write_text(written(record(terraform)))
    except TerraformError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
