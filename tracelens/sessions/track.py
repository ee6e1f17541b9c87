"""The names that other rooms still import from here."""

from tracelens.sessions.state import HIDDEN_FIELDS, shown
from tracelens.sessions.state import State as Track

__all__ = ["HIDDEN_FIELDS", "Track", "shown"]
