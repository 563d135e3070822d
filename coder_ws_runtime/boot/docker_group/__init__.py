"""Give the user access to the mounted Docker socket, through the group `docker`.

The socket is the host's file, and is never changed. This step changes who is in which group here. Where
no group helps, it starts a proxy, whose socket covers the host's.
"""
