"""What home-persist keeps on the volume and in the container: copies, attic, leases, ledger."""
