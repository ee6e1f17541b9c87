"""Coverage-guided fuzzing of what reads bytes: `python -m tests.fuzz SECONDS`."""
