"""The checks of ws-doctor, one module for each category."""
