"""One path: observe, compare, plan, apply."""
