"""A loss as a program of matrix operations, and the program of its gradient."""
