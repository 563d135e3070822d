"""Post-create hooks: what a tool of the image does for the user at every start."""
