"""`home-persist` for the harness, as if every file took the file system long: several threads work."""

import sys

import tests.crash.command  # noqa: F401 - allows root, before the commands are imported
from coder_ws_runtime.cli.home_persist import entry
from coder_ws_runtime.fs import walkers

walkers.LOOK = 3
walkers.SLOW = -1.0

if __name__ == "__main__":
    sys.exit(entry.main())
