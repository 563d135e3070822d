#!/bin/sh
# Makes Claude Code run commands through rtk. At every start, as the user; what is there already stays as it is.
set -eu
if ! command -v claude > /dev/null; then
  echo "claude is not here: nothing to do for rtk"
  exit 0
fi
# Before it is linked into the volume, what is written there is gone with the container.
if ! [ -L "$HOME/.claude" ]; then
  echo "$HOME/.claude is not linked into the volume: rtk leaves it alone"
  exit 0
fi
exec rtk init -g --auto-patch < /dev/null
