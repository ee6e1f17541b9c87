"""Meanings of the numbers that libssh2, SSH and SFTP report."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Code(Struct, frozen=True):
    """A number, the name its source gives it, and what it means in one sentence."""

    number: int
    name: str
    meaning: str


def _table(prefix: str, rows: Mapping[int, tuple[str, str]]) -> Mapping[int, Code]:
    return {number: Code(number, prefix + name, meaning) for number, (name, meaning) in rows.items()}


LIBSSH2_ERRORS = _table(
    "LIBSSH2_ERROR_",
    {
        0: ("NONE", "No error."),
        -1: ("SOCKET_NONE", "The socket is missing, closed or unusable; also a catch-all of old versions."),
        -2: ("BANNER_RECV", "The peer's identification line could not be read."),
        -3: ("BANNER_SEND", "The own identification line could not be sent."),
        -4: ("INVALID_MAC", "A packet's checksum was wrong: bytes were damaged or the keys differ."),
        -5: ("KEX_FAILURE", "The key exchange found no algorithm that both sides have, or broke off."),
        -6: ("ALLOC", "Memory ran out, or the peer asked for an impossible amount."),
        -7: ("SOCKET_SEND", "Bytes could not be written to the socket."),
        -8: ("KEY_EXCHANGE_FAILURE", "The key exchange began and could not be completed."),
        -9: ("TIMEOUT", "An answer did not come in time."),
        -10: ("HOSTKEY_INIT", "The server's host key could not be read."),
        -11: ("HOSTKEY_SIGN", "The signature made with the server's host key is not valid."),
        -12: ("DECRYPT", "A packet could not be decrypted."),
        -13: ("SOCKET_DISCONNECT", "The peer closed the connection."),
        -14: ("PROTO", "A message broke the rules of the SSH protocol."),
        -15: ("PASSWORD_EXPIRED", "The server wants a new password before it goes on."),
        -16: ("FILE", "A local file, most often a key, could not be opened or understood."),
        -17: ("METHOD_NONE", "No algorithm is available for what is asked."),
        -18: ("AUTHENTICATION_FAILED", "The server refused the credentials."),
        -19: ("PUBLICKEY_UNVERIFIED", "The server did not accept the proof of owning the key."),
        -20: ("CHANNEL_OUTOFORDER", "A channel message came at a time when it may not."),
        -21: ("CHANNEL_FAILURE", "A channel could not be opened, or an operation on it failed."),
        -22: ("CHANNEL_REQUEST_DENIED", "The server refused a request on a channel."),
        -23: ("CHANNEL_UNKNOWN", "A message names a channel that does not exist."),
        -24: ("CHANNEL_WINDOW_EXCEEDED", "The peer sent more than the channel's window allows."),
        -25: ("CHANNEL_PACKET_EXCEEDED", "A packet on a channel is larger than agreed."),
        -26: ("CHANNEL_CLOSED", "The channel is closed already."),
        -27: ("CHANNEL_EOF_SENT", "Data was to be sent after the end of data had been announced."),
        -28: ("SCP_PROTOCOL", "The other side of an SCP copy reported an error or answered nonsense."),
        -29: ("ZLIB", "Compression or decompression failed."),
        -30: ("SOCKET_TIMEOUT", "The socket did not become ready in the time allowed."),
        -31: ("SFTP_PROTOCOL", "The SFTP server answered with an error status; the status tells which."),
        -32: ("REQUEST_DENIED", "The server refused a request for the whole connection."),
        -33: ("METHOD_NOT_SUPPORTED", "An algorithm or method is not supported by this build."),
        -34: ("INVAL", "A function was called with an argument it can't work with."),
        -35: ("INVALID_POLL_TYPE", "A poll was asked for on something that can't be polled."),
        -36: ("PUBLICKEY_PROTOCOL", "The public key subsystem answered with an error."),
        -37: ("EAGAIN", "The operation would have to wait and is to be tried again; never a cause."),
        -38: ("BUFFER_TOO_SMALL", "A value did not fit into the buffer given, or a message was too short."),
        -39: ("BAD_USE", "The library was used in a way or an order that it does not allow."),
        -40: ("COMPRESS", "Compressed data could not be handled."),
        -41: ("OUT_OF_BOUNDARY", "A length in a message points outside of it, often after damage."),
        -42: ("AGENT_PROTOCOL", "The SSH agent can't be reached or gave a bad answer."),
        -43: ("SOCKET_RECV", "The connection broke while reading: closed or reset by the peer or the network."),
        -44: ("ENCRYPT", "A packet could not be encrypted; the crypto library refused."),
        -45: ("BAD_SOCKET", "The socket handed over is not valid."),
        -46: ("KNOWN_HOSTS", "The known hosts collection could not be used or a key did not match it."),
        -47: ("CHANNEL_WINDOW_FULL", "The peer's receive window is full; nothing may be sent for now."),
        -48: ("KEYFILE_AUTH_FAILED", "The key file could not be unlocked, most often a wrong passphrase."),
        -49: ("RANDGEN", "Random bytes could not be had."),
        -50: ("MISSING_USERAUTH_BANNER", "No banner text came with the authentication."),
        -51: ("ALGO_UNSUPPORTED", "The key's algorithm is not supported on this connection or by this build."),
        -52: ("MAC_FAILURE", "The checksum of a packet could not be computed."),
        -53: ("HASH_INIT", "A hash could not be started; the crypto library refused."),
        -54: ("HASH_CALC", "A hash could not be computed; the crypto library refused."),
    },
)

# RFC 4253 section 11.1
DISCONNECT_REASONS = _table(
    "SSH_DISCONNECT_",
    {
        1: ("HOST_NOT_ALLOWED_TO_CONNECT", "This client host may not connect."),
        2: ("PROTOCOL_ERROR", "The sender saw a breach of the protocol; its text says which."),
        3: ("KEY_EXCHANGE_FAILED", "The sender could not complete the key exchange."),
        4: ("RESERVED", "A number that has no meaning."),
        5: ("MAC_ERROR", "The sender got a packet with a wrong checksum."),
        6: ("COMPRESSION_ERROR", "The sender could not decompress a packet."),
        7: ("SERVICE_NOT_AVAILABLE", "The service asked for is not offered."),
        8: ("PROTOCOL_VERSION_NOT_SUPPORTED", "The sender does not speak the other side's SSH version."),
        9: ("HOST_KEY_NOT_VERIFIABLE", "The server's host key could not be trusted."),
        10: ("CONNECTION_LOST", "The connection was lost on the sender's side."),
        11: ("BY_APPLICATION", "A program ended the connection on purpose."),
        12: ("TOO_MANY_CONNECTIONS", "The server has as many connections as it allows."),
        13: ("AUTH_CANCELLED_BY_USER", "The user broke off the authentication."),
        14: ("NO_MORE_AUTH_METHODS_AVAILABLE", "No authentication method is left to try."),
        15: ("ILLEGAL_USER_NAME", "The user name is not one that may be used."),
    },
)

# RFC 4254 section 5.1
OPEN_FAILURES = _table(
    "SSH_OPEN_",
    {
        1: ("ADMINISTRATIVELY_PROHIBITED", "The server's configuration forbids such a channel."),
        2: ("CONNECT_FAILED", "The server could not connect to what the channel is for."),
        3: ("UNKNOWN_CHANNEL_TYPE", "The server does not know this kind of channel."),
        4: ("RESOURCE_SHORTAGE", "The server lacks the resources for another channel."),
    },
)

# draft-ietf-secsh-filexfer-02 section 7 up to 8, draft-ietf-secsh-filexfer-13 section 9.1 from 9 on
SFTP_STATUSES = _table(
    "SSH_FX_",
    {
        0: ("OK", "The operation succeeded."),
        1: ("EOF", "There is no more data, or no more entry in the directory."),
        2: ("NO_SUCH_FILE", "The path, or a folder on the way to it, does not exist."),
        3: ("PERMISSION_DENIED", "The user lacks the right to do this."),
        4: ("FAILURE", "It failed for a reason that has no number, such as a full disk or an existing target."),
        5: ("BAD_MESSAGE", "The server could not understand the packet."),
        6: ("NO_CONNECTION", "There is no connection; made up on the client's side."),
        7: ("CONNECTION_LOST", "The connection was lost; made up on the client's side."),
        8: ("OP_UNSUPPORTED", "The server does not support this operation."),
        9: ("INVALID_HANDLE", "The handle is not one of an open file or directory."),
        10: ("NO_SUCH_PATH", "A folder on the way to the file does not exist or is none."),
        11: ("FILE_ALREADY_EXISTS", "The target exists already."),
        12: ("WRITE_PROTECT", "The medium or file system is read-only."),
        13: ("NO_MEDIA", "There is no medium in the drive."),
        14: ("NO_SPACE_ON_FILESYSTEM", "The file system is full."),
        15: ("QUOTA_EXCEEDED", "The user's storage quota is used up."),
        16: ("UNKNOWN_PRINCIPAL", "A named user or group is not known to the server."),
        17: ("LOCK_CONFLICT", "Somebody else holds a lock on the file."),
        18: ("DIR_NOT_EMPTY", "The directory still has entries."),
        19: ("NOT_A_DIRECTORY", "The path is not a directory."),
        20: ("INVALID_FILENAME", "The name is not allowed on this file system."),
        21: ("LINK_LOOP", "Symbolic links lead in a circle, or through too many steps."),
        22: ("CANNOT_DELETE", "The file may not be deleted."),
        23: ("INVALID_PARAMETER", "A value in the request is out of range or contradicts another."),
        24: ("FILE_IS_A_DIRECTORY", "The path is a directory where a file is wanted."),
        25: ("BYTE_RANGE_LOCK_CONFLICT", "Somebody else holds a lock on that part of the file."),
        26: ("BYTE_RANGE_LOCK_REFUSED", "The lock on a part of the file was refused."),
        27: ("DELETE_PENDING", "The file is about to be deleted."),
        28: ("FILE_CORRUPT", "The file or the file system is damaged."),
        29: ("OWNER_INVALID", "The user can't be made the owner of the file."),
        30: ("GROUP_INVALID", "The group can't be made the group of the file."),
        31: ("NO_MATCHING_BYTE_RANGE_LOCK", "No such lock is held, so it can't be released."),
    },
)


def libssh2_error(code: int) -> Code | None:
    """Meaning of a libssh2 error number."""
    return LIBSSH2_ERRORS.get(code)


def disconnect_reason(code: int) -> Code | None:
    """Meaning of the reason code in a disconnect message (RFC 4253 section 11.1)."""
    return DISCONNECT_REASONS.get(code)


def open_failure(code: int) -> Code | None:
    """Meaning of the reason code of a channel that was not opened (RFC 4254 section 5.1)."""
    return OPEN_FAILURES.get(code)


def sftp_status(code: int) -> Code | None:
    """Meaning of an SFTP status (draft-ietf-secsh-filexfer-02 section 7 and later drafts)."""
    return SFTP_STATUSES.get(code)
