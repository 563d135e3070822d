"""The commands. Only here anything is printed or exits."""
