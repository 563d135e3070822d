"""The runtime of a Coder workspace: a home that persists, boot steps, and a doctor."""

__version__ = "0.1.0"
