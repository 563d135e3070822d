"""What `./dev` and the tests share: an engine, the images, real workspaces. Standard library only."""
