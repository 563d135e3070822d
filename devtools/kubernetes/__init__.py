"""A real Kubernetes cluster on this machine, and the template's workspaces in it."""
