"""Stand-ins of what the recipes of the base download.

Node and npm are real: they come from npm's packages, and are packed as nodejs.org packs a release. nvm, rtk
and web-shell are no packages anywhere: the programs in the directories beside this file stand for them.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from devtools.engine import Engine
from tests.images.standins import HERE, MACHINE, Maker, npm_pack, pack, sha256

ARCHITECTURE = {"x86_64": "x64", "aarch64": "arm64"}
# The npm that this Node has, by its changelog.
NPM = "11.19.0"


def nvm(mirror: Path, lock: dict[str, Any], _: Engine) -> dict[str, Any]:
    """nvm's scripts, and Node. Scripts that lie in the mirror already stay, e.g. the real ones."""
    node(mirror, lock["node"]["version"])
    place = mirror / f"raw.githubusercontent.com/nvm-sh/nvm/v{lock['nvm']['version']}"
    sums = {}
    for name, expected in lock["nvm"]["sha256"].items():
        file = place / name
        if not file.exists() or sha256(file) != expected:
            place.mkdir(parents=True, exist_ok=True)
            file.write_bytes((HERE / "nvm" / name).read_bytes())
        sums[name] = sha256(file)
    return {"nvm": {"sha256": sums} if sums != lock["nvm"]["sha256"] else {}}


def node(mirror: Path, version: str) -> None:
    """node-vX-linux-<machine>.tar.gz and the headers, beside SHASUMS256.txt; there is no corepack in it."""
    release = mirror / f"nodejs.org/dist/v{version}"
    sums = release / "SHASUMS256.txt"
    architecture = ARCHITECTURE[MACHINE]
    name = f"node-v{version}-linux-{architecture}"
    if sums.exists():
        return
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        tree = npm_pack(f"node-linux-{architecture}@{version}", work)
        (tree / "package.json").unlink()
        (tree / "lib/node_modules").mkdir(parents=True)
        npm_pack(f"npm@{NPM}", work).rename(tree / "lib/node_modules/npm")
        for program in ("npm", "npx"):
            (tree / "bin" / program).symlink_to(f"../lib/node_modules/npm/bin/{program}-cli.js")
            (tree / f"lib/node_modules/npm/bin/{program}-cli.js").chmod(0o755)
        archive = pack(tree, name, release / f"{name}.tar.gz")
        headers = pack(tree, f"node-v{version}", release / f"node-v{version}-headers.tar.gz", ["include"])
    sums.write_text("".join(f"{sha256(file)}  {file.name}\n" for file in (headers, archive)))


def _filled(file: Path, version: str) -> str:
    return file.read_text().replace("@version@", version)


def web_shell(mirror: Path, lock: dict[str, Any], _: Engine) -> dict[str, Any]:
    """web-shell-X.tgz as `npm pack` makes it, and GitHub's description of the release, with its checksum."""
    version = lock["web-shell"]["version"]
    source = HERE / "web_shell"
    archive = mirror / f"github.com/SoureCode/web-shell/releases/download/v{version}/web-shell-{version}.tgz"
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for place in ("server/dist", "client/dist"):
            (tree / place).mkdir(parents=True)
        (tree / "package.json").write_text(_filled(source / "package.json", version))
        (tree / "server/dist/index.js").write_text((source / "index.js").read_text())
        (tree / "client/dist/index.html").write_text((source / "index.html").read_text())
        pack(tree, "package", archive)
    release = mirror / f"api.github.com/repos/SoureCode/web-shell/releases/tags/v{version}"
    release.parent.mkdir(parents=True, exist_ok=True)
    asset = {"name": archive.name, "digest": f"sha256:{sha256(archive)}"}
    release.write_text(json.dumps({"tag_name": f"v{version}", "assets": [asset]}))
    return {}


def rtk(mirror: Path, lock: dict[str, Any], _: Engine) -> dict[str, Any]:
    """rtk-<machine>-unknown-linux-….tar.gz beside checksums.txt, which lists all files of the release."""
    version = lock["rtk"]["version"]
    release = mirror / f"github.com/rtk-ai/rtk/releases/download/v{version}"
    library = "musl" if MACHINE == "x86_64" else "gnu"
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "rtk").write_text(_filled(HERE / "rtk/rtk", version))
        (Path(directory) / "rtk").chmod(0o755)
        archive = pack(
            Path(directory), "", release / f"rtk-{MACHINE}-unknown-linux-{library}.tar.gz", ["rtk"]
        )
    other = f"{'0' * 64}  rtk-x86_64-pc-windows-msvc.zip\n"
    (release / "checksums.txt").write_text(f"{other}{sha256(archive)}  {archive.name}\n")
    return {}


MAKERS: dict[str, Maker] = {"nvm": nvm, "web-shell": web_shell, "rtk": rtk}
