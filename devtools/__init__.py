"""What ./dev is made of: the Docker engine, images, workspaces. The tests and the workflows use it too."""
