"""What is declared: manifests, their model and rules."""
