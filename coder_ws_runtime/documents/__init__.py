"""Documents by machines and people: their models, a cache of validated ones, and readable errors."""
