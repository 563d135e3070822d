"""What is wrong with a workspace, and how to mend it."""
