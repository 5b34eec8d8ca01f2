"""Documents in, a searchable index out."""
