"""Questions about a session that several rules ask; no rule is in here."""
