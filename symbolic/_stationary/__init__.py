"""Where SGD ends up: scalar SDEs, their zero-flux densities, and P2's networks."""
