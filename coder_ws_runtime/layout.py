"""Where everything is.

One :class:`Layout` holds every path of a workspace, and all of them derive from one root, so that
the whole runtime can work on a tree (``--root DIR``). Nothing else in the package spells an
absolute path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_USER = "coder"

STATE = ".home-persist"
"""What home-persist itself keeps on the volume, relative to it."""
WORKSPACES = ".workspaces"
"""Copies of paths with the scope ``workspace``, relative to the volume; one directory per workspace id."""
JETBRAINS_DIST = ".jetbrains-dist"
"""JetBrains backends, relative to the volume."""

WORKSPACE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""What an id of a workspace looks like: one path component, because it names a directory on the volume."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one workspace. All are absolute."""

    root: Path
    home: Path
    volume: Path
    """Where the owner's volume is mounted."""
    manifest_dir: Path
    ledger_dir: Path
    """State of this container's life; it lies in the container's own layer and dies with it."""

    @classmethod
    def of(cls, root: Path = Path("/"), env: Mapping[str, str] | None = None) -> "Layout":
        """The layout below `root`, with what the environment overrides.

        Args:
            root: the directory that stands for ``/``.
            env: the environment: ``HOME``, ``HOME_PERSIST_STATE``, ``HOME_PERSIST_MANIFEST_DIR``
                and ``HOME_PERSIST_LEDGER_DIR`` replace the defaults. Below another root than ``/``
                they are taken as paths inside it, except ``HOME``: every shell sets it, and it
                means the home of the user who runs the command, not the one of the tree.
        """
        env = env or {}
        root = Path(root).absolute()
        default_home = f"/home/{DEFAULT_USER}"
        home = env.get("HOME") or default_home if root == Path("/") else default_home

        def inside(path: str) -> Path:
            return root / path.lstrip("/")

        return cls(
            root=root,
            home=inside(home),
            volume=inside(env.get("HOME_PERSIST_STATE") or "/mnt/home-persist"),
            manifest_dir=inside(env.get("HOME_PERSIST_MANIFEST_DIR") or "/etc/home-persist.d"),
            ledger_dir=inside(env.get("HOME_PERSIST_LEDGER_DIR") or "/var/lib/home-persist"),
        )

    def inside(self, path: Path) -> str:
        """How a program that has `root` as its ``/`` calls `path`."""
        return f"/{path.relative_to(self.root)}"

    # The volume ------------------------------------------------------------------------------

    @property
    def state(self) -> Path:
        """What home-persist itself keeps on the volume."""
        return self.volume / STATE

    @property
    def workspaces(self) -> Path:
        """Copies of paths with the scope ``workspace``, one directory per workspace id."""
        return self.volume / WORKSPACES

    @property
    def jetbrains_dist(self) -> Path:
        """JetBrains backends, shared by the workspaces of an owner."""
        return self.volume / JETBRAINS_DIST

    # The image and what the template uploads ---------------------------------------------------

    @property
    def settings_file(self) -> Path:
        """The settings document that the template uploads."""
        return self.root / "etc/coder/workspace.json"

    @property
    def agent_init(self) -> Path:
        """The script that downloads and starts the Coder agent, uploaded by the template."""
        return self.root / "etc/coder/agent-init.sh"

    @property
    def share(self) -> Path:
        """Where tools are installed, one directory per tool id."""
        return self.root / "usr/local/share"

    @property
    def available(self) -> Path:
        """Manifests that count only where they are enabled, one ``<source>.json`` each."""
        return self.share / "home-persist/available"

    @property
    def compiled_manifests(self) -> Path:
        """What the image's manifests say, validated when the image was built."""
        return self.share / "home-persist/compiled.json"

    @property
    def group_file(self) -> Path:
        """The groups, as in group(5)."""
        return self.root / "etc/group"

    @property
    def passwd_file(self) -> Path:
        """The users, as in passwd(5)."""
        return self.root / "etc/passwd"

    @property
    def os_release(self) -> Path:
        """Which distribution this is, as in os-release(5)."""
        return self.root / "etc/os-release"

    @property
    def resolv_conf(self) -> Path:
        """The name servers, as in resolv.conf(5)."""
        return self.root / "etc/resolv.conf"

    @property
    def unit_dir(self) -> Path:
        """Where the image puts our systemd units."""
        return self.root / "usr/local/lib/systemd/system"

    @property
    def watch_unit(self) -> Path:
        """Where the machine's own unit, or a mask, of the daemon would be (systemctl(1), mask)."""
        return self.root / "etc/systemd/system/home-persist-watch.service"

    @property
    def watch_wanted(self) -> Path:
        """The link that enables the daemon's unit (systemctl(1), enable)."""
        return self.root / "etc/systemd/system/multi-user.target.wants/home-persist-watch.service"

    # The running system --------------------------------------------------------------------------

    @property
    def docker_socket(self) -> Path:
        """The socket of the host's Docker daemon, mounted into the workspace."""
        return self.root / "run/docker.sock"

    @property
    def dockerd(self) -> Path:
        """The Docker engine, in images that have one."""
        return self.root / "usr/sbin/dockerd"

    @property
    def docker_data(self) -> Path:
        """What the workspace's own Docker engine keeps: images, build cache, volumes."""
        return self.root / "var/lib/docker"

    @property
    def interfaces(self) -> Path:
        """The network interfaces, one directory each."""
        return self.root / "sys/class/net"

    @property
    def docker_proxy_socket(self) -> Path:
        """Our own socket in front of the host's, where no group can open the host's."""
        return self.root / "run/ws-docker/docker.sock"

    @property
    def docker_host_socket(self) -> Path:
        """Where the host's socket stays reachable while the proxy's lies over it."""
        return self.root / "run/ws-docker/host.sock"

    @property
    def docker_plugin_dirs(self) -> tuple[Path, ...]:
        """Where the Docker CLI looks for its plugins, in its order."""
        system = ("usr/local/lib", "usr/local/libexec", "usr/lib", "usr/libexec")
        return (
            self.home / ".docker/cli-plugins",
            *(self.root / parent / "docker/cli-plugins" for parent in system),
        )

    @property
    def runtime_dir(self) -> Path:
        """State until the next boot: the ready file of the daemon, what the boot steps report."""
        return self.root / "run/coder-ws"

    @property
    def watch_report(self) -> Path:
        """What the daemon last said of itself: a JSON object."""
        return self.runtime_dir / "watch.json"

    @property
    def hook_logs(self) -> Path:
        """One log file per post-create hook."""
        return self.root / "var/log/coder-ws/hooks"

    @property
    def systemd_runtime(self) -> Path:
        """There as long as systemd is PID 1 (sd_booted(3))."""
        return self.root / "run/systemd/system"

    @property
    def system_bus(self) -> Path:
        """The socket of D-Bus, by which everybody but root talks to systemd."""
        return self.root / "run/dbus/system_bus_socket"

    @property
    def container_mark(self) -> Path:
        """An empty file that the engine makes together with the container."""
        return self.root / ".dockerenv"

    @property
    def tmp(self) -> Path:
        """Files that need not last."""
        return self.root / "tmp"

    @property
    def cgroups(self) -> Path:
        """The control groups, as the container sees them."""
        return self.root / "sys/fs/cgroup"

    @property
    def proc(self) -> Path:
        """The process file system."""
        return self.root / "proc"

    @property
    def jetbrains_config(self) -> Path:
        """Settings of JetBrains IDEs, one directory per product and version."""
        return self.home / ".config/JetBrains"

    @property
    def jetbrains_data(self) -> Path:
        """Plugins of JetBrains IDEs, one directory per product and version, and Toolbox."""
        return self.home / ".local/share/JetBrains"

    @property
    def jetbrains_cache(self) -> Path:
        """Where JetBrains IDEs keep caches unless they are told otherwise; not to be persisted."""
        return self.home / ".cache/JetBrains"

    @property
    def jetbrains_tmp(self) -> Path:
        """Caches and logs of JetBrains IDEs, which must not be shared and need not last."""
        return self.root / "tmp/jetbrains"
