"""`home-persist` for the harness, with small trees divided among processes as large ones are."""

import sys

import tests.crash.command  # noqa: F401 - allows root, before the commands are imported
from coder_ws_runtime.cli.home_persist import entry
from coder_ws_runtime.fs import divided

divided.ENTRIES = 3

if __name__ == "__main__":
    sys.exit(entry.main())
