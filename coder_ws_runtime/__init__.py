"""The runtime of a Coder workspace: a home that persists, boot steps, and a doctor."""

__all__ = ["__version__"]

try:
    # Written when the package is built, from the tag.
    from coder_ws_runtime._version import version as __version__
except ImportError:  # a checkout that was never built
    __version__ = "0.0.0"
