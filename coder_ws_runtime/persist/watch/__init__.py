"""The daemon, which keeps the links in place while programs run."""
