"""The daemon: it keeps the links true while programs run."""
