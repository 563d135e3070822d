"""The command `ws-boot`."""

from coder_ws_runtime.cli import commands


@commands.group("ws-boot")
def command() -> None:
    """The steps that prepare a workspace at every start.

    systemd runs them at boot. The template's script runs them again, to show their output.
    Each does only what is not done yet, so you can run one by hand at any time.

    Exit status: 0 done, 1 something could not be fixed, 2 wrong usage, 3 no usable volume.
    """


command.add_lazy("docker-group", "coder_ws_runtime.cli.ws_boot.docker_group", "docker_group")
command.add_lazy("docker-engine", "coder_ws_runtime.cli.ws_boot.docker_engine", "docker_engine")
command.add_lazy("memory", "coder_ws_runtime.cli.ws_boot.memory", "memory")
command.add_lazy("jetbrains", "coder_ws_runtime.cli.ws_boot.jetbrains", "jetbrains")
command.add_lazy("hooks", "coder_ws_runtime.cli.ws_boot.hooks", "hooks")
command.add_lazy("web-shell", "coder_ws_runtime.cli.ws_boot.web_shell", "web_shell")


command.epilog = commands.examples(
    ("sudo ws-boot docker-group", "give the user access to the Docker socket"),
    ("ws-boot hooks list", "see how the tools' hooks ended"),
    ("ws-boot hooks --help", "help for one step"),
)


def main() -> int:
    """Run ``ws-boot`` with the arguments of this process, and return its exit status."""
    return commands.run(command)
