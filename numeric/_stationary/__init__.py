"""Where SGD ends up: stationary densities of diagonal linear networks."""
