"""Notices about one session."""
