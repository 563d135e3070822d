"""`home-persist` for the harness, also as root: its homes and volumes are nobody else's."""

import sys

from coder_ws_runtime.cli import loading

# Before the commands are imported: each of them takes the name from there.
loading.refuse_root = lambda layout: None

from coder_ws_runtime.cli.home_persist import entry  # noqa: E402 - as above

if __name__ == "__main__":
    sys.exit(entry.main())
