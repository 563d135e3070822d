"""All paths.

One :class:`Layout` holds every path of a workspace, and all of them derive from one root, so the whole
runtime can work on a directory tree (``--root DIR``). No other module of the package contains an absolute
path.
"""

from collections.abc import Mapping
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass

DEFAULT_USER = "coder"

STATE = ".home-persist"
"""home-persist's own directory on the volume, relative to it."""
WORKSPACES = ".workspaces"
"""Copies of paths with the scope ``workspace``, relative to the volume; one directory per workspace ID."""
JETBRAINS_DIST = ".jetbrains-dist"
"""JetBrains backends, relative to the volume."""

WORKSPACE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""The pattern of a workspace's ID: one path component, because it names a directory on the volume."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one workspace. All are absolute."""

    root: Path
    home: Path
    volume: Path
    """The mount point of the owner's volume."""
    manifest_dir: Path
    ledger_dir: Path
    """State of this container; it is in the container's own layer, and is deleted with it."""

    @classmethod
    def of(cls, root: Path = Path("/"), env: Mapping[str, str] | None = None) -> "Layout":
        """The layout for `root`, with what the environment overrides.

        Args:
            root: the directory that is used as ``/``.
            env: the environment: ``HOME``, ``HOME_PERSIST_STATE``, ``HOME_PERSIST_MANIFEST_DIR``
                and ``HOME_PERSIST_LEDGER_DIR`` replace the defaults. With another root than ``/``
                they are paths inside it. ``HOME`` is then ignored: every shell sets it to the home of
                the user who runs the command, which is not the tree's.
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
        """The path by which a program that has `root` as its ``/`` finds `path`."""
        return f"/{path.relative_to(self.root)}"

    # The volume ------------------------------------------------------------------------------

    @property
    def state(self) -> Path:
        """home-persist's own directory on the volume."""
        return self.volume / STATE

    @property
    def workspaces(self) -> Path:
        """Copies of paths with the scope ``workspace``, one directory per workspace ID."""
        return self.volume / WORKSPACES

    @property
    def jetbrains_dist(self) -> Path:
        """JetBrains backends, which all workspaces of an owner share."""
        return self.volume / JETBRAINS_DIST

    # From the image, and uploaded by the template ------------------------------------------------

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
        """Where tools are installed, one directory per tool."""
        return self.root / "usr/local/share"

    @property
    def available(self) -> Path:
        """Optional manifests, one ``<source>.json`` each."""
        return self.share / "home-persist/available"

    @property
    def compiled_manifests(self) -> Path:
        """The image's manifests, validated when the image was built."""
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
        """The distribution, as in os-release(5)."""
        return self.root / "etc/os-release"

    @property
    def resolv_conf(self) -> Path:
        """The name servers, as in resolv.conf(5)."""
        return self.root / "etc/resolv.conf"

    @property
    def unit_dir(self) -> Path:
        """The directory of the image's systemd units."""
        return self.root / "usr/local/lib/systemd/system"

    @property
    def watch_unit(self) -> Path:
        """Where the machine's own version, or a mask, of the daemon's unit would be (systemctl(1), mask)."""
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
        """The Docker engine's program, in images that have one."""
        return self.root / "usr/sbin/dockerd"

    @property
    def docker_data(self) -> Path:
        """The data of the workspace's own Docker engine: images, build cache, volumes."""
        return self.root / "var/lib/docker"

    @property
    def interfaces(self) -> Path:
        """The network interfaces, one directory each."""
        return self.root / "sys/class/net"

    @property
    def docker_proxy_socket(self) -> Path:
        """Our own socket, which covers the host's if no group can open the host's."""
        return self.root / "run/ws-docker/docker.sock"

    @property
    def docker_host_socket(self) -> Path:
        """Where the host's socket stays reachable while the proxy's covers it."""
        return self.root / "run/ws-docker/host.sock"

    @property
    def docker_plugin_dirs(self) -> tuple[Path, ...]:
        """Where the Docker CLI looks for plugins, in its order."""
        system = ("usr/local/lib", "usr/local/libexec", "usr/lib", "usr/libexec")
        return (
            self.home / ".docker/cli-plugins",
            *(self.root / parent / "docker/cli-plugins" for parent in system),
        )

    @property
    def runtime_dir(self) -> Path:
        """State until the next boot: the daemon's ready file, reports of the boot steps."""
        return self.root / "run/coder-ws"

    @property
    def watch_report(self) -> Path:
        """The daemon's last report about itself: a JSON object."""
        return self.runtime_dir / "watch.json"

    @property
    def doctor_memory(self) -> Path:
        """What the doctor remembers of a complete look that found nothing, see `doctor.glance`."""
        return self.runtime_dir / "doctor"

    @property
    def hook_logs(self) -> Path:
        """One log file per post-create hook."""
        return self.root / "var/log/coder-ws/hooks"

    @property
    def systemd_runtime(self) -> Path:
        """Exists while systemd is PID 1 (sd_booted(3))."""
        return self.root / "run/systemd/system"

    @property
    def unit_invocations(self) -> Path:
        """Where systemd has a link from each unit that was started to the ID of that start."""
        return self.root / "run/systemd/units"

    @property
    def system_bus(self) -> Path:
        """The socket of D-Bus, through which everybody except root talks to systemd."""
        return self.root / "run/dbus/system_bus_socket"

    @property
    def container_mark(self) -> Path:
        """An empty file that the engine creates together with the container."""
        return self.root / ".dockerenv"

    @property
    def tmp(self) -> Path:
        """Temporary files."""
        return self.root / "tmp"

    @property
    def cgroups(self) -> Path:
        """The control groups, as seen from the container."""
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
        """Where JetBrains IDEs keep caches by default; not to be persisted."""
        return self.home / ".cache/JetBrains"

    @property
    def jetbrains_tmp(self) -> Path:
        """Caches and logs of JetBrains IDEs, which must not be shared and need not be kept."""
        return self.root / "tmp/jetbrains"
