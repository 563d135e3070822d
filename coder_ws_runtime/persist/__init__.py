"""home-persist: keeps declared paths of the home on the owner's volume."""
