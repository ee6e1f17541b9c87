"""SCP failed."""
