#!/bin/sh
# Takes the login and the MCP servers along into the directory that CLAUDE_CONFIG_DIR names: Claude Code looks
# for .claude.json there, and no longer in the home. At every start, as the user; once is enough.
set -eu
umask 077
old="$HOME/.claude.json"
new="$HOME/.claude/.claude.json"
if [ -e "$new" ] || ! [ -s "$old" ]; then
  echo "nothing to do for Claude Code"
  exit 0
fi
# Before it is linked into the volume, what is written there is gone with the container.
if ! [ -L "$HOME/.claude" ]; then
  echo "$HOME/.claude is not linked into the volume: Claude Code's settings stay where they are"
  exit 0
fi
if ! python3 -c 'import json, sys; sys.exit(not isinstance(json.load(open(sys.argv[1])), dict))' "$old" 2> /dev/null; then
  echo "$old is not a JSON object: it stays where it is"
  exit 0
fi
# A copy: workspaces with an older image go on with the old file. By ln, because another workspace may be quicker.
draft="$new.$$"
trap 'rm -f "$draft"' EXIT
cp -pL "$old" "$draft"
if ln "$draft" "$new" 2> /dev/null; then
  echo "copied $old to $new, which Claude Code uses from now on"
else
  echo "another workspace was quicker: $new is there"
fi
