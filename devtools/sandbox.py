"""`./dev up --sandbox`: the runtime in a root of its own, without Docker and without root.

The same `home-persist` as in the image works on a tree below .dev/sandbox: a home is seeded, the
container is "lost" (its home and its layer are deleted), a new one is resolved, and everything is
there again.
"""

import json
import shutil
from pathlib import Path

from devtools.shell import ROOT, STATE, DevError, run, say
from devtools.venv import VENV

TREE = STATE / "sandbox"
_CONTENT = {
    ".claude/settings.json": '{"theme": "dark"}\n',
    ".claude.json": '{"projects": {}}\n',
    ".config/notes/today.md": "seeded before the container was lost\n",
}


def show() -> int:
    """Seed, resolve, lose the container, resolve again, compare; and say each step."""
    fresh = not TREE.exists()
    say(
        f"{'new' if fresh else 'kept'}: tree {TREE.relative_to(ROOT)} (a volume, and a home of one container)"
    )
    home, volume = TREE / "home/coder", TREE / "mnt/home-persist"
    manifests = TREE / "etc/home-persist.d"
    for directory in (home, volume, manifests):
        directory.mkdir(parents=True, exist_ok=True)
    for manifest in (ROOT / "manifests").glob("*.json"):
        shutil.copy(manifest, manifests)
    demo = {"source": "sandbox", "paths": [".claude/", ".claude.json", ".config/notes/"]}
    (manifests / "zz-sandbox.json").write_text(json.dumps(demo))
    # A workspace has a name for the copies that are its own; here too, for people who type a command.
    settings = TREE / "etc/coder/workspace.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps({"workspace": {"id": "sandbox", "name": "sandbox"}}))
    if fresh:
        say("a home with content, as an image brings it or a program writes it")
        _write(home)
    say("home-persist resolve")
    print(_home_persist("resolve"))
    say("the container is lost: its home and its layer are deleted")
    shutil.rmtree(home)
    shutil.rmtree(TREE / "var", ignore_errors=True)
    home.mkdir()
    say("a new container: home-persist resolve")
    print(_home_persist("resolve"))
    missing = [path for path in _CONTENT if not (home / path).exists()]
    if missing:
        raise DevError(f"missing: {', '.join(missing)}")
    for path in _CONTENT:
        say(f"there: ~/{path}")
    print(f"\nLook:    {_command('status')}")
    print("Remove:  ./dev down")
    return 0


def remove() -> None:
    """Remove the tree."""
    if TREE.exists():
        shutil.rmtree(TREE)
        say(f"removed: {TREE.relative_to(ROOT)}")


def _write(home: Path) -> None:
    for path, text in _CONTENT.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _command(verb: str) -> str:
    return f".venv/bin/home-persist {verb} --root {TREE.relative_to(ROOT)}"


def _home_persist(verb: str) -> str:
    """Run `home-persist` of this checkout on the tree."""
    done = run([VENV / "bin/home-persist", verb, "--root", TREE], check=False)
    said = (done.stdout + done.stderr).rstrip()
    if done.returncode != 0:
        raise DevError(f"home-persist {verb} ended with status {done.returncode}:\n{said}")
    return said
