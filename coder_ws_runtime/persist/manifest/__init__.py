"""Declarations: manifests, their model and their rules."""
