"""SSH and SFTP as tables: wire types, message shapes, codes."""
