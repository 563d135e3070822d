"""The commands. Only this package prints or exits."""
