"""Documents that machines and people write: models, the cache of what was validated, and errors in words."""
