"""The command home-persist, with one module for each subcommand."""
