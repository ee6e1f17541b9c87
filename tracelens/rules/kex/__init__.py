"""Causes that strike in key exchange."""
