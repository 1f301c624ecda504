"""Where gradient noise balances weights: on orbits of GL(d), and of their products."""
