"""Stand-ins of what the recipes of the base download.

Node and npm are real: they come from npm's packages, and are packed as nodejs.org packs a release. nvm is no
package anywhere: `nvm/nvm.sh` beside this file stands for it.
"""

import tempfile
from pathlib import Path
from typing import Any

from tests.harness.engine import Engine
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


MAKERS: dict[str, Maker] = {"nvm": nvm}
