"""JetBrains IDEs: settings and plugins last, caches stay in the container, old backends go."""
