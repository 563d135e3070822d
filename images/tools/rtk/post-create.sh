#!/bin/sh
# Makes Claude Code run commands through rtk. At every start, as the user; what is there already stays as it is.
# To do without: RTK_INIT=0 in the environment, or for all of your workspaces: touch ~/.config/rtk/no-init
set -eu
if [ "${RTK_INIT:-1}" = 0 ] || [ -e "$HOME/.config/rtk/no-init" ]; then
  echo "RTK_INIT=0 or $HOME/.config/rtk/no-init: rtk leaves Claude Code alone"
  exit 0
fi
if ! command -v claude > /dev/null; then
  echo "claude is not here: nothing to do for rtk"
  exit 0
fi
# Before it is linked into the volume, what is written there is gone with the container.
if ! [ -L "$HOME/.claude" ]; then
  echo "$HOME/.claude is not linked into the volume: rtk leaves it alone"
  exit 0
fi
# The file is shared by all workspaces, and rtk reads what it cannot parse as empty and writes that back.
settings="$HOME/.claude/settings.json"
if [ -e "$settings" ] || [ -L "$settings" ]; then
  state=$(python3 - "$settings" << 'PYTHON'
import json
import sys

try:
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
except (OSError, ValueError, RecursionError):
    document = None


def commands(value):
    """Every command in it, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "command" and isinstance(inner, str):
                yield inner
            yield from commands(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from commands(inner)


if not isinstance(document, dict):
    print("broken")
elif any("rtk" in command for command in commands(document.get("hooks"))):
    print("there")
else:
    print("absent")
PYTHON
  )
  case $state in
    there)
      echo "rtk's hook is in $settings already"
      exit 0
      ;;
    broken)
      echo "$settings is empty or not a JSON object: rtk leaves it alone"
      exit 0
      ;;
  esac
fi
exec rtk init -g --auto-patch < /dev/null
