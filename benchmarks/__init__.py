"""Measurements in a real workspace, as ratios against a baseline in the same run: `./dev bench`."""
