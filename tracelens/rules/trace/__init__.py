"""Notices about a trace as a whole."""
