"""JetBrains IDEs: keep settings and plugins, leave caches in the container, remove old backends."""
