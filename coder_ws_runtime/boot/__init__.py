"""The boot steps: each a unit, and a line of the template's script."""
