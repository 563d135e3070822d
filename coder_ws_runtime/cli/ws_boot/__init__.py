"""The command ws-boot, with one module for each subcommand."""
