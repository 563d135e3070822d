"""The boot steps: each is a unit, and a line in the template's script."""
