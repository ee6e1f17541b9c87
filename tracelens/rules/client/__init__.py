"""Causes that lie in the client alone."""
