"""A channel was refused, or a request on it, or it was closed."""
