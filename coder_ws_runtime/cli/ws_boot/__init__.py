"""The command ws-boot, one module for each of its subcommands."""
