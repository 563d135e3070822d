"""Finds what is wrong with a workspace, and how to fix it."""
