"""How remedies name what is changed outside of the workspace: a container of Docker's, or a pod."""

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.settings import Engine


def in_pod(context: Context) -> bool:
    """Whether the template is the one for Kubernetes: there no host lends its Docker socket."""
    return context.settings.engine is not Engine.HOST_SOCKET


def by_template(context: Context, container: str, pod: str) -> str:
    """The words for this workspace's template.

    Args:
        context: the workspace.
        container: what main.tf has, where the workspace is a container of Docker's.
        pod: what kubernetes/main.tf has.
    """
    return pod if in_pod(context) else container
