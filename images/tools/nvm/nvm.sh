# nvm in every shell. It is large, so it is read when it is first called: a shell starts at once, and node,
# npm and npx are there without it.
export NVM_DIR="${NVM_DIR:-/usr/local/share/nvm}"
# Read by each bash that is neither a login shell nor interactive, e.g. `bash -c` and scripts.
export BASH_ENV=/etc/profile.d/nvm.sh

nvm() {
  unset -f nvm
  # shellcheck disable=SC1091 # in the image
  . "$NVM_DIR/nvm.sh" --no-use
  nvm "$@"
}

# What `npm install --global` installs is found, before the image's own.
case ":$PATH:" in
  *":$NVM_DIR/"*) ;;
  *)
    PATH="$NVM_DIR/versions/node/@version@/bin:$PATH"
    # `nvm alias default` counts from the next shell on. Not for root, who would run what is the user's.
    if [ -O "$NVM_DIR/nvm.sh" ] && read -r nvm_default 2> /dev/null < "$NVM_DIR/alias/default" &&
      [ "$nvm_default" != @version@ ]; then
      nvm use --silent default || :
    fi
    unset nvm_default
    ;;
esac
