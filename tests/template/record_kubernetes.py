"""The objects that kubernetes/main.tf plans for one workspace, while it runs and while it is stopped."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.template.record import IDENTITY, written
from tests.template.terraform import Plan, Terraform, TerraformError, ready

Json = dict[str, Any]

VARIABLES = {
    "image_repository": "registry.example/recorded",
    "image_pull_policy": "IfNotPresent",
    "namespace": "recorded-namespace",
    "home_claim": "recorded-homes",
    "projects_storage_class": "recorded-class",
    "docker_storage_class": "recorded-class",
}
"""Whatever boots the recorded workspace puts its own in their places."""
_URL = {"CODER_AGENT_URL": "https://coder.recorded.example"}


def record(
    terraform: Terraform,
    parameters: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Json:
    """What is planned: `start` and `stop` have the resources that are there then, by type.

    The agent is made first: its token and its script are known only then.

    Args:
        terraform: on the template for Kubernetes.
        parameters: other than the defaults.
        variables: other than `VARIABLES`.
    """
    identity = {**IDENTITY, **_URL}
    state = terraform.directory / "record.tfstate"

    def planned(word: str, environment: Mapping[str, str] | None = None) -> Plan:
        return terraform.plan(
            parameters,
            environment={**identity, **(environment or {})},
            variables={**VARIABLES, **(variables or {})},
            state=state,
            words=[word],
        )

    terraform.apply(planned("-target=coder_agent.main"), state, environment=identity)
    start = planned("-refresh=false")
    stop = planned("-refresh=false", {"CODER_WORKSPACE_TRANSITION": "stop"})
    state.unlink()
    return {"start": _objects(start), "stop": _objects(stop)}


def _objects(plan: Plan) -> Json:
    resources = plan.json["planned_values"]["root_module"]["resources"]
    return {one["type"]: _set(one["values"]) for one in resources if one["type"].startswith("kubernetes_")}


def _set(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What is set: unlike as of Docker's containers, false says something."""
    if isinstance(value, dict):
        return {key: _set(one) for key, one in value.items() if one not in (None, "", [], {})}
    return [_set(one) for one in value] if isinstance(value, list) else value


def main(file: str) -> None:
    """Write the record of the template into a file."""
    try:
        with ready("kubernetes/main.tf") as terraform:
            Path(file).write_text(written(record(terraform)))
    except TerraformError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
