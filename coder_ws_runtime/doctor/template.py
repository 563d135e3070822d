"""What remedies call the things outside of the workspace: a container of Docker's, or a pod."""

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.settings import Engine


def in_pod(context: Context) -> bool:
    """Whether the template is the one for Kubernetes, where no host shares its Docker socket."""
    return context.settings.engine is not Engine.HOST_SOCKET


def by_template(context: Context, container: str, pod: str) -> str:
    """The text that fits this workspace's template.

    Args:
        context: the workspace.
        container: for main.tf, where the workspace is a Docker container.
        pod: for kubernetes/main.tf.
    """
    return pod if in_pod(context) else container
