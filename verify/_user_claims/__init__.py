"""Claims of the user's own: read, drawn for, checked by routes, and reported."""
