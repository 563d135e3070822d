"""Operations on file systems, without policy."""
