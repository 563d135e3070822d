"""The running system: programs, the journal, the Docker API, mounts, processes."""
