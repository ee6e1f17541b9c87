from tracelens.rules.base import Found, noise
from tracelens.sessions import Quote, Session


@noise("noise-sftp-end")
def sftp_end(session: Session) -> Found | None:
    """SFTP status 1: a file or a directory has been read to its end.

    ## What it means
    SFTP has no other way to say "there is no more": the request after the last piece of a file, or
    after the last name of a directory, is answered by SSH_FXP_STATUS with code 1, SSH_FX_EOF
    (draft-ietf-secsh-filexfer-02, 7). Every complete listing and most complete downloads hold one. A
    client that reads ahead (`read request id N sent`, since 1.7.0) gets several at the end of one file.

    ## How it is seen
    - In dumps (mask bit 2): channel data (packet 94) with SFTP type 101 and status 1, as an answer to
      READDIR or READ. Often with the sentence `End of file`.
    - libssh2 prints neither the status nor an error: `libssh2_sftp_readdir_ex()` and `libssh2_sftp_read()`
      return 0. As text there is `SFTP: Received packet type 101` (`Received packet 101` up to 1.6.0).

    ## What to do
    - Client: nothing. A return value of 0 is the end, not an error.
    - IRIS/Caché: nothing. A directory listing that is shorter than expected has another reason: rights on
      the server, or another folder than was thought (a chroot).

    ## Not to be confused with
    - `sftp-operation-failed`, `sftp-no-such-file`, `sftp-permission-denied`: the same packet 101 with
      another number, or as an answer to something else than READ and READDIR.
    - `channel-closed-early`: the channel ended, not the file.
    - `Conn: EOF received`: the end of a channel's data (RFC 4254, 5.3), another thing altogether.

    ## Example
    ```
    [libssh2] 0.235100 SFTP: Initializing SFTP subsystem
    [libssh2] 0.235790 SFTP: Reading entries from directory handle
    => libssh2_transport_write plain (9 bytes)
    0000: 5E 00 00 00 00 00 00 00  11                      : ^........
    => libssh2_transport_write plain2 (17 bytes)
    0000: 00 00 00 0D 0C 00 00 00  02 00 00 00 04 00 00 00 : ................
    0010: 00                                               : .
    => libssh2_transport_read() plain (41 bytes)
    0000: 5E 00 00 00 00 00 00 00  20 00 00 00 1C 65 00 00 : ^....... ....e..
    0010: 00 02 00 00 00 01 00 00  00 0B 45 6E 64 20 6F 66 : ..........End of
    0020: 20 66 69 6C 65 00 00 00  00                      :  file....
    [libssh2] 0.236156 Transport: Packet type 94 received, length=41
    [libssh2] 0.236180 SFTP: Received packet type 101 (len 28)
    [libssh2] 0.236234 SFTP: Closing handle
    ```
    """
    if not session.sftp.ends:
        return None
    ends = [o for o in session.operations if o.status == 1 and o.outcome == "done"]
    evidence = tuple(
        Quote(o.end_line or o.line, f"SFTP status 1 to {o.verb}{f' ({o.message})' if o.message else ''}") for o in ends
    )
    return Found("SFTP status 1, the end of a file or folder", evidence, count=session.sftp.ends)
