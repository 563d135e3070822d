"""SHA-256 of a name. It names locks and attic batches, so all versions that use a volume have to agree."""


def hex_digest(data: bytes) -> str:
    """The SHA-256 of `data`: 64 hexadecimal digits."""
    try:
        # CPython's own module, since 3.12. hashlib loads OpenSSL: 4 MiB that stay in the daemon's memory.
        from _sha2 import sha256  # type: ignore[import-not-found]  # noqa: PLC0415 - most runs need none
    except ImportError:
        from hashlib import sha256  # noqa: PLC0415 - as above
    digest: str = sha256(data).hexdigest()
    return digest
