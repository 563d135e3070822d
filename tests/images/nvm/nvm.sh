# shellcheck shell=sh disable=SC3043
# A stand-in of nvm: those of its commands that work without a network, on the same directories and files.
# What it prints is what nvm prints.

nvm() {
  case "${1-}" in
    --version) echo 0.0.0-standin ;;
    use) shift && nvm_use "$@" ;;
    current) nvm_current ;;
    version) nvm_resolve "${2:-default}" ;;
    which) echo "$NVM_DIR/versions/node/$(nvm_resolve "${2:-default}")/bin/node" ;;
    ls) (cd "$NVM_DIR/versions/node" && printf '%s\n' v*) ;;
    alias) echo "$3" > "$NVM_DIR/alias/$2" && echo "$2 -> $3" ;;
    exec) shift && NODE_VERSION=$1 && shift && (nvm use --silent "$NODE_VERSION" && exec "$@") ;;
    *) echo "nvm's stand-in does not know: $*" >&2 && return 127 ;;
  esac
}

nvm_current() {
  case "$(command -v node)" in
    "$NVM_DIR"/*) command -v node | sed "s|$NVM_DIR/versions/node/\([^/]*\)/bin/node|\1|" ;;
    /*) echo system ;;
    *) echo none ;;
  esac
}

# A version of what names one: an alias, or the beginning of a version. The newest counts.
nvm_resolve() {
  local name="$1"
  while [ -f "$NVM_DIR/alias/$name" ]; do
    name="$(cat "$NVM_DIR/alias/$name")"
  done
  # shellcheck disable=SC2012
  ls "$NVM_DIR/versions/node" | grep "^v${name#v}\(\.\|$\)" | sort -V | tail -n 1
}

nvm_use() {
  local quiet='' name='' version
  while [ $# -gt 0 ]; do
    case "$1" in
      --silent) quiet=yes ;;
      --lts) name='lts/*' ;;
      *) name="$1" ;;
    esac
    shift
  done
  if [ -z "$name" ] && [ -f .nvmrc ]; then
    name="$(cat .nvmrc)"
  fi
  version="$(nvm_resolve "$name")"
  if [ -z "$version" ]; then
    echo "N/A: version \"$name\" is not yet installed." >&2
    return 3
  fi
  PATH="$NVM_DIR/versions/node/$version/bin:$(printf %s "$PATH" | sed "s|$NVM_DIR/versions/node/[^:]*:||g")"
  export PATH
  if [ -z "$quiet" ]; then
    echo "Now using node $version"
  fi
}
