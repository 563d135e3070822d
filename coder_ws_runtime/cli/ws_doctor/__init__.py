"""The command ws-doctor, with one module for each subcommand."""
