"""SFTP did not start, or an operation failed."""
