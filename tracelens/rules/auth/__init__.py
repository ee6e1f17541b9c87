"""What went wrong at login: one file a cause, close siblings together; `attempts` says which attempt decides."""
