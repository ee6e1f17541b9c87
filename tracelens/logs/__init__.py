"""Bytes of other programs' logs -> typed events, one connection each.

In: a server's log (sshd, dropbear, ProFTPD, SFTPGo, rclone), a client's words (`ssh -vvv`, `curl -v`), a server's
configuration. Out: `Connection` and `Event`, in one vocabulary for all programs (`events.md` lists it).
"""
