"""What looks like a failure and is none."""
