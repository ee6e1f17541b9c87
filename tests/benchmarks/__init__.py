"""How fast tracelens is, against programs that read the same files; see `__main__`."""
