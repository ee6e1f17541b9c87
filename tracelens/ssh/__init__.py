"""SSH and SFTP as tables: wire types, message formats, algorithms, codes.

Bytes of a message go in; its name, its fields and its defects come out.
"""
