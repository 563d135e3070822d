"""Numbers of bytes, for people."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: int) -> str:
    """A number of bytes for people, in units of 1024: ``512 B``, ``1.5 KiB``, ``20.0 MiB``."""
    power = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count} B" if power == 0 else f"{count / 1024**power:.1f} {_UNITS[power]}"
