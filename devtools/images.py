"""The images: Debian's, pulled or made here, and ours, built from this checkout."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from devtools.engine import Engine
from devtools.shell import ROOT, STATE, DevError, apt_install, as_root, run, say
from devtools.stacks import images as known_images

DEBIAN = "debian:trixie-slim"
_SUITE = "trixie"
_PULL_SECONDS = 40.0
_SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
# Named, because debootstrap on another distribution has that one's keys as its default.
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_SLIM = (
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/log/*",
    "usr/share/doc/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/man/*",
)

# Two clones on one machine do not share names.
PREFIX = f"cws-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def tag(stack: str) -> str:
    """The name of a stack's image of this checkout."""
    return f"{PREFIX}/coder-workspace:{stack}"


def ensure_debian(engine: Engine) -> None:
    """Debian's image: the one that is there, pulled, or made with debootstrap if no registry can be reached.

    Raises:
        DevError: none of these is possible.
    """
    if engine.has_image(DEBIAN):
        return
    say(f"pulling {DEBIAN}")
    try:
        if engine.docker("pull", "-q", DEBIAN, check=False, timeout=_PULL_SECONDS).returncode == 0:
            return
    except subprocess.TimeoutExpired:
        pass
    say(f"no image registry can be reached: making {DEBIAN} with debootstrap")
    root = as_root()
    if root is None:
        raise DevError("debootstrap needs root", f"docker pull {DEBIAN}, or run ./dev as root")
    if not shutil.which("debootstrap", path=_SBIN):
        apt_install(["debootstrap", "debian-archive-keyring"], f"No image registry has {DEBIAN}")
    STATE.mkdir(exist_ok=True)
    # Not below /tmp: that may be mounted with nodev, where debootstrap refuses to work.
    with tempfile.TemporaryDirectory(prefix="debian-", dir=STATE) as name:
        target = Path(name) / "root"
        try:
            keyring = f"--keyring={_KEYRING}"
            run([*root, "debootstrap", "--variant=minbase", keyring, _SUITE, target, *_mirror()])
            excluded = "".join(f"path-exclude /{path}\n" for path in _SLIM if path.startswith("usr/"))
            run([*root, "tee", target / "etc/dpkg/dpkg.cfg.d/slim"], stdin=excluded)
            _import(engine, root, target)
        finally:
            # As root: the tree is root's.
            run([*root, "rm", "-rf", "--one-file-system", target], check=False)


def _mirror() -> list[str]:
    """Debian's mirror that this host takes its packages from; debootstrap knows one for other hosts."""
    form = "$(ORIGIN) $(LABEL) $(SUITE) $(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], check=False).stdout
    rows = [line.split(" ") for line in listed.splitlines()]
    return [row[-1] for row in rows if row[:2] == ["Debian", "Debian"]][:1]


def _import(engine: Engine, root: list[str], tree: Path) -> None:
    """Make the image from a tree, without what the real one lacks, too."""
    exclude = [f"--exclude=./{path}" for path in _SLIM]
    with subprocess.Popen([*root, "tar", "-C", tree, *exclude, "-c", "."], stdout=subprocess.PIPE) as tar:
        words = [*engine.client, "import", "--change", 'CMD ["bash"]', "-", DEBIAN]
        done = subprocess.run(words, stdin=tar.stdout, capture_output=True, text=True, check=False)
    if tar.returncode != 0 or done.returncode != 0:
        raise DevError(f"{DEBIAN} could not be imported: {done.stderr.strip()}")


def build(engine: Engine, stack: str, args: Mapping[str, str] | None = None) -> str:
    """Build a stack's image on its parent's and return its name; layers that have not changed are kept.

    Args:
        engine: where.
        stack: a name of images/stacks.toml, or with -engine after it; its parent is built already.
        args: build arguments; those that a Dockerfile does not declare are not given to it.

    Raises:
        DevError: there is no such stack, or the build failed.
    """
    known = known_images()
    if stack not in known:
        raise DevError(f"there is no stack {stack!r}", f"known: {', '.join(known)}")
    parent = known[stack].parent
    dockerfile = known[stack].dockerfile
    given = {name: value for name, value in (args or {}).items() if name in _declared(dockerfile)}
    if parent:
        given["BASE"] = tag(parent)
    else:
        ensure_debian(engine)
    engine.build(dockerfile, tag(stack), ROOT, args=given)
    return tag(stack)


def on_this_base(engine: Engine, stack: str) -> bool:
    """Whether the engine has a stack's image, made on the base image that it has now.

    A base that was built again leaves the stacks on the old one, with the old package in them.
    """
    if not engine.has_image(tag(stack)):
        return False
    base, layers = (engine.inspect(tag(name))["RootFS"]["Layers"] for name in ("base", stack))
    return bool(layers[: len(base)] == base)


def remove(engine: Engine) -> list[str]:
    """Remove the images of this checkout, and return their names.

    By name: another checkout of the same commit has the same image under a name of its own, and
    keeps it.
    """
    words = ["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={PREFIX}/*"]
    names = [name for name in engine.docker(*words).stdout.split() if not name.endswith(":<none>")]
    if names:
        engine.docker("rmi", "-f", *names, check=False)
    return names


def _declared(dockerfile: Path) -> set[str]:
    """The names of a Dockerfile's arguments."""
    lines = re.findall(r"^ARG (.*)$", dockerfile.read_text(), re.MULTILINE)
    return {word.partition("=")[0] for line in lines for word in line.split()}


def sizes(engine: Engine, stack: str) -> list[tuple[str, int]]:
    """The layers of a stack's image that have more than 1 MiB, the lowest first: what made it, and bytes."""
    words = ["history", "--human=false", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", tag(stack)]
    rows = [line.split("\t", 1) for line in engine.docker(*words).stdout.splitlines()]
    return [(_layer(made), int(size)) for size, made in reversed(rows) if int(size) >= 1 << 20]


def _layer(made: str) -> str:
    """A layer's name: the recipe, or what the instruction begins with; Debian's has none."""
    recipe = re.search(r"/tools/([\w-]+)/install", made)
    if recipe:
        return recipe[1]
    if "apt-get install" in made:
        return "Debian's packages"
    return re.sub(r"^RUN .* -c |# buildkit", "", made).strip()[:40] or "debian:trixie-slim"
