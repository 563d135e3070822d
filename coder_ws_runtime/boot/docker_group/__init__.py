"""The group `docker` can open the mounted Docker socket.

The socket is the host's file: it is never changed. What changes is who is in which group here, and
where no group helps, a proxy with a socket of our own covers it.
"""
