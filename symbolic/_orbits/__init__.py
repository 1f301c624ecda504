"""The orbit of an exponential symmetry and its noise equilibrium."""
