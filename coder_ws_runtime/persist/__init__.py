"""home-persist: what a home keeps, and how it is kept true."""
