"""The checks of ws-doctor, with one module for each category."""
