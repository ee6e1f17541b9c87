"""An item of a trace with several open sessions -> the session that it belongs to.

libssh2 prints no session id: the sessions of one process, in threads or one event loop, interleave. A session is a
sequence of steps, so most items fit only the sessions that wait for them (`texts`, `packets`); `choice` breaks ties.
"""
