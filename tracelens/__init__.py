"""Reads libssh2 trace files and says what failed, where the proof stands, and who must do what."""

__version__ = "0.1.0"
