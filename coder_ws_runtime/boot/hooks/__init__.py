"""Post-create hooks: what each tool of the image does for the user at every start."""
