"""Effects on file systems, without policy."""
