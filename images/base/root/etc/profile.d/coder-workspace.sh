# A login shell that was given no environment (su -, env -i) has the workspace's from PID 1.
if [ -z "${CODER_WORKSPACE_ID-}" ] && [ -d /run/systemd/system ]; then
  while IFS= read -r coder_workspace_pair; do
    case $coder_workspace_pair in
      CODER_WORKSPACE_ID=* | CODER_WORKSPACE_NAME=* | LANG=* | TZ=*) export "${coder_workspace_pair?}" ;;
    esac
  done <<EOF
$(systemctl show-environment 2> /dev/null)
EOF
  unset coder_workspace_pair
fi
