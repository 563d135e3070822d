#!/usr/bin/env bash
# The baseline: a resolver of the same documented behaviour, as such images have it in shell. It
# loses data when it is killed; it is here for its speed.
set -euo pipefail
home=${HOME:?}
state=${HOME_PERSIST_STATE:-/mnt/home-persist}
manifests=${HOME_PERSIST_MANIFEST_DIR:-/etc/home-persist.d}

link() { # path scope
    local path=${1%/} base=$state
    if [[ $2 == workspace ]]; then base=$state/.workspaces/${CODER_WORKSPACE_ID:?}; fi
    local target=$base/$path source=$home/$path
    mkdir -p "$(dirname "$target")" "$(dirname "$source")"
    if [[ -L $source ]]; then
        [[ $(readlink "$source") == "$target" ]] && return
        rm "$source"
    elif [[ -d $source && -d $target ]]; then
        cp -an "$source/." "$target/"
        rm -rf "$source"
    elif [[ -e $source && -e $target ]]; then
        rm -rf "$source"
    elif [[ -e $source ]]; then
        mv "$source" "$target"
    fi
    if [[ $1 == */ ]]; then mkdir -p "$target"; fi
    ln -s "$target" "$source"
}

for manifest in "$manifests"/*.json; do
    jq -r '.scope as $scope | (.paths // [])[]
           | if type == "string" then [., $scope // "owner"] else [.path, .scope // $scope // "owner"] end
           | @tsv' "$manifest" |
        while IFS=$'\t' read -r path scope; do link "$path" "$scope"; done
done
