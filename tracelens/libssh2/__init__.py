"""What libssh2 prints: the text of a record -> a typed event; error texts, the list of all messages, the trace mask."""
