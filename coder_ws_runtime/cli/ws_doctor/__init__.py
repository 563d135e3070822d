"""The command ws-doctor, one module for each of its subcommands."""
