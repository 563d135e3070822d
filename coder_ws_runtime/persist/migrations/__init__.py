"""Migrations: changes to the volume that a manifest declares, and that run once."""
