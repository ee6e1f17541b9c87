"""What libssh2's pairs of number and text mean: data for `messages.readings`."""

PHRASES = r"""
$two-methods-iris: Go on with the next method on the same connection, such as AuthenticateWithUsername after
    AuthenticateWithKeyPair: it may then simply succeed. Only Caché 2018.1 and later and InterSystems IRIS can
    use two methods on one connection.
$two-methods-c: Call libssh2_userauth_list(), then the next method (libssh2_userauth_password() or
    libssh2_userauth_keyboard_interactive()) on the same session; libssh2_userauth_authenticated() tells the
    end.
$key-files-iris: AuthenticateWithKeyPair wants the public key as one line in OpenSSH's format and the private
    key as PEM (-----BEGIN RSA PRIVATE KEY-----), its passphrase if it is encrypted, and both readable for the
    account that the IRIS or Caché process runs as. The private key itself must never leave your hands.
$key-files-c: Check both paths of libssh2_userauth_publickey_fromfile_ex(), their rights and the passphrase;
    an OpenSSH-format private key becomes PEM by `ssh-keygen -p -m PEM -f KEY` (on a copy).
$trace-iris: See what happened: Do SSH.SetTraceMask(511,"/tmp/ssh.log") before Connect, then try once more.
$trace-c: Trace it: libssh2_trace(session, ~0) in a build with tracing, or the bits of `tracelens mask`.
"""
"""What several readings say; `$name` stands for it there."""

READINGS = r"""
[-13] Failed getting banner
means: The very first step, reading the server's banner, met a closed connection. Mostly something other than
    SSH listens there; an FTPS server, for instance, waits for an SSL handshake. Or a firewall, an address
    filter or a limit of connections on the server hung up.
iris: Check host and port of Connect (SFTP is mostly port 22; 21 and 990 are FTP and FTPS).
iris: For an FTPS server use the class %Net.FtpSession instead of %Net.SSH.Session.
c: Check the address and the port of the socket that libssh2_session_handshake() gets; libssh2 can't speak
    FTPS.
see: banner-closed banner-not-ssh
[-43] Failed getting banner
means: The connection was reset or closed before the server's banner: a firewall, a limit, or no SSH server.
iris: Check host and port of Connect, and whether the server's side lets this address in.
c: Check what the socket given to libssh2_session_handshake() is connected to.
see: banner-closed banner-not-ssh
[-9 -30] Failed getting banner|Timeout waiting for banner|Timed out waiting on socket
means: The server took the connection and then said nothing in time (before the banner: no SSH server, or
    stuck).
iris: Check host and port of Connect; a server that is overloaded or looks up names slowly needs more time.
c: Raise libssh2_session_set_timeout(), or find out why the server is silent.
see: banner-timeout banner-not-ssh transport-timeout
[-5] Unable to exchange encryption keys
means: Client and server have no algorithm in common in one of the lists (key exchange, host key, cipher, MAC,
    compression). It does not say which; the server's offer stands only in the hex dumps (mask bit 2).
iris: Upgrade the client or the server for newer algorithms. Caché older than 2017.1 has an old libssh2: move
    to 2017.1 or later.
iris: The trace has the details: Do SSH.SetTraceMask(134,"/tmp/ssh.log") before Connect.
c: Upgrade libssh2 or its crypto backend; compare libssh2_session_supported_algs() with the server's offer,
    and drop limits set by libssh2_session_method_pref().
see: kex-no-common-algorithm kex-no-common-kex kex-no-common-hostkey kex-no-common-cipher kex-no-common-mac
    kex-no-common-compression client-outdated
[-8] Unable to exchange encryption keys|Unrecoverable error exchanging keys
means: The host key's signature did not verify, or the server fell silent or went away in mid key exchange.
iris: $trace-iris
c: Trace with LIBSSH2_TRACE_TRANS | LIBSSH2_TRACE_KEX | LIBSSH2_TRACE_ERROR; the errors before it decide.
see: kex-hostkey-unverified kex-server-disconnect kex-failed
[-1 -13 -43] Unable to exchange encryption keys
means: The server hung up after its banner: a limit, a block list, or it disliked the client's offer.
both: Ask the server's administrator for its log of this connection.
see: kex-server-disconnect
[-19] Invalid signature for supplied public key, or bad username/public key combination
means: This text is misleading: it also comes when all is well so far and the server wants two methods, of
    which the second one is still missing. Otherwise the private key does not belong to the public key, or the
    server does not know the key (some servers accept every key at first). In the hex dumps the last byte of
    packet 51 decides: 1 means that the first method was accepted.
iris: $two-methods-iris
iris: If no second method is due, check that the two key files belong together.
c: $two-methods-c
c: If no second method is due, compare with `ssh-keygen -y -f KEY`.
see: auth-second-factor-missing auth-key-mismatch auth-publickey-rejected noise-partial-auth
[-18] Username/PublicKey combination invalid
means: One text for three cases: the key is not authorized for this user; it is an RSA key whose SHA-1
    signature a newer server (OpenSSH 8.8 or later) refuses, rsa-sha2 being known to libssh2 only since
    1.11.0; or a second method is still missing.
iris: Have the public key entered on the server for this user; for a modern server use a version with libssh2
    1.11 or an ECDSA or Ed25519 key.
iris: $two-methods-iris
c: Check the server's authorized keys; upgrade to libssh2 1.11 or use another key type for RSA refusals.
c: $two-methods-c
see: auth-publickey-rejected auth-rsa-sha1-refused auth-second-factor-missing
[-18] Authentication failed \(username/password\)
means: The password was refused. A wrong password, an unknown user and a barred one look the same, and a
    server that takes no passwords, asks by prompts or wants a second method also answers so: see which
    methods the trace lists as permitted.
iris: Check user and password of AuthenticateWithUsername; where the server permits keyboard-interactive only,
    use AuthenticateWithKeyboardInteractive (Caché 2018.1 or later, IRIS).
c: Check the list of libssh2_userauth_list(); for keyboard-interactive use
    libssh2_userauth_keyboard_interactive().
see: auth-password-rejected auth-password-not-allowed auth-keyboard-interactive-needed
    auth-second-factor-missing
[-18] Authentication failed \(keyboard-interactive\)
means: The answers to the server's prompts were refused, or none was given.
iris: Check what the callback of AuthenticateWithKeyboardInteractive answers to each prompt.
c: Check the response callback of libssh2_userauth_keyboard_interactive_ex(): number and order of answers.
see: auth-keyboard-interactive-failed auth-keyboard-interactive-not-allowed auth-second-factor-missing
[-19] Callback returned error
means: Local: signing failed before anything was sent. A key file is missing, unreadable, not the other half,
    or of a format that this crypto backend can't read (OpenSSH-format private keys on older versions,
    libgcrypt and WinCNG). The reason is in the error just before it.
iris: $key-files-iris
c: $key-files-c
see: auth-key-format auth-key-passphrase auth-key-unreadable auth-key-mismatch
[-16] Unable to (?:open|read) .*|Missing public key data|Failed to open file
means: A key file is not there, empty, or not readable for the account that the program runs as.
iris: $key-files-iris
c: $key-files-c
see: auth-key-unreadable
[-14] Private key unpack failed \(correct password\?\)
means: An OpenSSH-format private key did not decrypt: the passphrase is wrong.
iris: Give the right passphrase to AuthenticateWithKeyPair.
c: Give the right passphrase to libssh2_userauth_publickey_fromfile_ex().
see: auth-key-passphrase
[-4] Failed to get response .*|Invalid MAC received|(?:transport|channel) read|.*Timeout.*
means: A packet failed its integrity check: something on the way changed bytes, or the two ends lost step.
iris: $trace-iris
iris: Have proxies and firewalls on the way checked.
c: Have proxies and firewalls on the way checked; try another MAC with libssh2_session_method_pref().
see: transport-mac-invalid
[-43 -13] Failed to get response .*|Timeout waiting .*|(?:transport|channel) read|socket disconnect
means: The connection was lost, whatever the text says of a timeout. A disconnect that the server gave a
    reason for stands in the lines before it.
iris: Ask the server's administrator for its log of this connection; check idle limits of firewalls.
c: Ask the server's administrator for its log; libssh2_keepalive_config() helps against idle limits.
see: transport-connection-lost transport-server-disconnect kex-server-disconnect
[-41 -12] Failed to get response .*|(?:transport|channel) read|.*Timeout.*
means: A packet of impossible length (-41) or one that did not decrypt (-12): it was damaged on the way.
iris: $trace-iris
iris: Have proxies and firewalls on the way checked.
c: Have proxies on the way checked; try another cipher with libssh2_session_method_pref().
see: transport-decrypt-failed
[-9] Timed out waiting for KEX reply
means: No key-exchange reply came. After milliseconds only, the server did not time out: it died or hung up.
iris: $trace-iris
c: Look at the clock before it; ask for the server's log.
see: kex-server-disconnect transport-timeout
[-9] Would block waiting
means: Old versions only: the connection was lost during a login; a real timeout prints nothing.
iris: Upgrade: such a libssh2 is more than ten years old.
c: Upgrade libssh2.
see: transport-connection-lost client-outdated
[-25] SFTP packet too large|Timeout waiting for response from SFTP subsystem
means: A shell's start-up text came where SFTP was expected, and its first bytes were taken for a length.
both: Have the text in the remote account's start-up files removed, or printed for interactive shells only.
see: sftp-start-failed
[any] Timeout waiting for response from SFTP subsystem
means: Mostly a lost connection, not a slow server: the number decides.
see: transport-connection-lost sftp-start-failed transport-timeout
[-21] Unable to request SFTP subsystem|Unable to startup channel|Channel open failure.*
means: The server refused the channel or the subsystem: SFTP not set up there, a limit of sessions, or a ban.
iris: Ask the server's administrator whether this user may use SFTP.
c: Ask the server's administrator; read libssh2_session_last_error() for the reason.
see: channel-open-refused channel-subsystem-refused
[0] agent list id failed
means: Noise: the agent simply has no further key.
see: noise-recovered
[-17 -33] No handler for specified private key|.*[Uu]nsupported.*|.*[Uu]nimplemented.*
means: This build of libssh2 can't use this type or format of key.
iris: $key-files-iris
c: $key-files-c
see: auth-key-format
[-39 -42 -45] no auth sock variable|.*agent.*|.*pageant.*|failed creating socket|SSH_AUTH_SOCK .*
means: The SSH agent was not reachable, or would not sign.
iris: Use key files with AuthenticateWithKeyPair; an agent belongs to a user's shell, not to a server.
c: Check SSH_AUTH_SOCK (Pageant on Windows) in the environment of the process, and what
    libssh2_agent_connect() returns.
see: auth-agent-failed
[-34] session not authenticated yet
means: SFTP was asked for before the login was complete; often a failed or partial login went unnoticed.
iris: Check the status of each Authenticate method before OpenSFTP.
c: Check the result of each libssh2_userauth_...() call; libssh2_userauth_authenticated() must be 1.
see: client-error auth-second-factor-missing
[-37]
means: The operation would have had to wait, and was tried again. This is never the final cause of a failure,
    whatever text stands with it: look at the other errors. Only blocking mode prints it. The time until the
    next line is the other side's delay. Where the trace ends with it, the program stopped before an answer
    came.
iris: Nothing to repair here: read the errors after it in the file that SetTraceMask named.
c: LIBSSH2_ERROR_EAGAIN: call the same function again, after libssh2_session_block_directions() and poll().
see: noise-retried retry-storm transport-timeout
[-44]
means: The client's own crypto library failed. Known cases: a libssh2 1.8 or 1.9 made for OpenSSL 1 that finds
    OpenSSL 3 at run time (no handshake works then), FIPS mode, and policies that bar an algorithm.
iris: Use a version of IRIS whose libssh2 fits its OpenSSL; check FIPS mode.
c: Use a libssh2 built for the OpenSSL that is loaded; check FIPS mode and the crypto policy.
see: client-crypto-failed
[-16]
means: One number for a wrong passphrase, a bad file and a format that is not supported: read the text.
iris: $key-files-iris
c: $key-files-c
see: auth-key-passphrase auth-key-format auth-key-unreadable
[-48]
means: The private key is encrypted, and the passphrase is wrong or was not given.
iris: Give the right passphrase to AuthenticateWithKeyPair.
c: Give the right passphrase to libssh2_userauth_publickey_fromfile_ex().
see: auth-key-passphrase
[-31]
means: An SFTP operation ended with a status of the server, which this number hides. Only open and opendir
    print it (`got FXP_STATUS n`); else status and sentence stand in the hex dumps alone (mask bit 2).
iris: Do SSH.SetTraceMask(222,"/tmp/ssh.log") before Connect shows the status.
c: libssh2_sftp_last_error() gives the status (LIBSSH2_FX_...).
see: sftp-no-such-file sftp-permission-denied sftp-no-space sftp-operation-failed
[-7]
means: Nothing could be sent any more. Mostly the consequence of a connection that an earlier error already
    reports, seen while cleaning up.
both: Read the first error before it in the trace.
see: transport-connection-lost kex-server-disconnect
[-13 -43]
means: The other side closed the connection. The text and the phase say when; a disconnect with a reason,
    where the server sent one, stands in the lines before it.
iris: $trace-iris
c: $trace-c
see: transport-connection-lost transport-server-disconnect kex-server-disconnect banner-closed
[-9 -30]
means: Something took too long, or was believed to: compare the clock. After milliseconds it was no timeout
    but a lost connection; seconds after a closed channel or an exit status, SFTP had never started.
iris: $trace-iris
c: Check libssh2_session_set_timeout(); $trace-c
see: transport-timeout transport-connection-lost sftp-start-failed banner-timeout
[-5 -8]
means: Key exchange failed: no algorithm in common (-5), a signature that did not verify, or a server that
    fell silent or left (-8).
iris: Do SSH.SetTraceMask(134,"/tmp/ssh.log") before Connect shows how far it came and both offers.
c: $trace-c
see: kex-no-common-algorithm kex-server-disconnect kex-hostkey-unverified kex-failed
[-2 -3]
means: The banners were not exchanged: silence, a closed connection, or no SSH server at all.
iris: Check host and port of Connect.
c: $trace-c
see: banner-timeout banner-closed banner-not-ssh
[-10 -11]
means: The server's host key, or what it signed with it, was not accepted by the client's crypto library.
iris: $trace-iris
c: Try another host-key algorithm with libssh2_session_method_pref(LIBSSH2_METHOD_HOSTKEY).
see: kex-hostkey-unverified
[-4 -12 -41]
means: A packet came damaged, did not decrypt or claimed an impossible length.
iris: $trace-iris
c: $trace-c
see: transport-mac-invalid transport-decrypt-failed transport-protocol-error
[-15]
means: The server wants a new password before it lets this user in.
iris: Change the password outside of SSH, or with another client.
c: Give libssh2_userauth_password_ex() a callback that supplies the new password.
see: auth-password-expired
[-18]
means: The server refused a login. That is also said after a first method that was accepted, where a second
    one is still to come: the hex dump's last byte of packet 51 is 1 then.
iris: $two-methods-iris
c: $two-methods-c
see: auth-password-rejected auth-publickey-rejected auth-second-factor-missing noise-partial-auth
[-19]
means: A login with a key failed: refused by the server, not signed on this side, or just the first of two
    methods, the second one still missing. The text tells which.
iris: $two-methods-iris
iris: $key-files-iris
c: $two-methods-c
c: $key-files-c
see: auth-second-factor-missing auth-publickey-rejected auth-key-mismatch auth-key-format
[-22 -32]
means: The server refused a request on an open channel: a command, a terminal, a variable or a forwarding.
both: Ask the server's administrator what this user is allowed.
see: channel-request-refused channel-subsystem-refused
[-28]
means: The scp program on the far side refused: mostly a path that is not there or not permitted.
iris: $trace-iris
c: Read what the far side wrote, on the channel's stderr too.
see: scp-failed
[-6]
means: Memory ran out, or the far side claimed a size that no memory holds.
iris: $trace-iris
c: $trace-c
see: client-error transport-protocol-error
"""
"""Pairs of number and text, and after them the numbers on their own.

A block begins with the numbers (`any`: whatever the number) and a pattern for the whole text (none: whatever
the text). Fields: what it `means`, what to do in `iris` (IRIS and Caché), in `c` (any other program) or in
`both`, which findings to `see`. A line that begins with blanks goes on with the one before.
"""
