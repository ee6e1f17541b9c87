"""The connection ended, fell silent, or its packets came damaged."""
