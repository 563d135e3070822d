"""The command home-persist, one module for each of its subcommands."""
