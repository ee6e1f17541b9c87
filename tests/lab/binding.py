"""libssh2's C interface for ctypes: every function the lab calls, with its types."""

import ctypes
from pathlib import Path
from typing import Any

EAGAIN = -37

_TYPES: dict[str, Any] = {
    "v": None,
    "p": ctypes.c_void_p,
    "s": ctypes.c_char_p,
    "i": ctypes.c_int,
    "u": ctypes.c_uint,
    "l": ctypes.c_long,
    "z": ctypes.c_size_t,
    "n": ctypes.c_ssize_t,
    "q": ctypes.c_int64,
}

# name: result, then arguments. A wrong width would pass by luck on one machine and crash on the next.
_SIGNATURES = {
    "init": "i i",
    "version": "s i",
    "session_init_ex": "p pppp",
    "session_free": "i p",
    "session_handshake": "i pi",
    "session_disconnect_ex": "i piss",
    "session_last_error": "i pppi",
    "session_set_last_error": "i pis",
    "session_last_errno": "i p",
    "session_set_blocking": "v pi",
    "session_set_timeout": "v pl",
    "session_block_directions": "i p",
    "session_banner_get": "s p",
    "session_banner_set": "i ps",
    "session_method_pref": "i pis",
    "session_methods": "s pi",
    "session_flag": "i pii",
    "trace": "i pi",
    "trace_sethandler": "i ppp",
    "keepalive_send": "i pp",
    "keepalive_config": "v piu",
    "userauth_list": "s psu",
    "userauth_password_ex": "i psusup",
    "userauth_publickey_fromfile_ex": "i psusss",
    "userauth_keyboard_interactive_ex": "i psup",
    "agent_init": "p p",
    "agent_connect": "i p",
    "agent_list_identities": "i p",
    "agent_get_identity": "i ppp",
    "agent_userauth": "i psp",
    "agent_disconnect": "i p",
    "agent_free": "v p",
    "channel_open_ex": "p psuuusu",
    "channel_direct_tcpip_ex": "p psisi",
    "channel_forward_listen_ex": "p psipi",
    "channel_request_pty_ex": "i psusuiiii",
    "channel_setenv_ex": "i psusu",
    "channel_process_startup": "i psusu",
    "channel_read_ex": "n pipz",
    "channel_write_ex": "n pisz",
    "channel_send_eof": "i p",
    "channel_close": "i p",
    "channel_wait_closed": "i p",
    "channel_get_exit_status": "i p",
    "channel_free": "i p",
    "sftp_init": "p p",
    "sftp_shutdown": "i p",
    "sftp_open_ex": "p psulli",
    "sftp_read": "n ppz",
    "sftp_readdir_ex": "i ppzpzp",
    "sftp_write": "n psz",
    "sftp_close_handle": "i p",
    "sftp_unlink_ex": "i psu",
    "sftp_rename_ex": "i psusul",
    "sftp_mkdir_ex": "i psul",
    "sftp_rmdir_ex": "i psu",
    "sftp_stat_ex": "i psuip",
    "scp_recv2": "p psp",
    "scp_send64": "p psiqll",
}

TraceHandler = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
PasswordChange = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_int),
    ctypes.c_void_p,
)
Allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
Reallocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class Answer(ctypes.Structure):
    """LIBSSH2_USERAUTH_KBDINT_RESPONSE; libssh2 frees the text."""

    _fields_ = [("text", ctypes.c_void_p), ("length", ctypes.c_uint)]


Prompts = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.POINTER(Answer),
    ctypes.c_void_p,
)

libc = ctypes.CDLL(None)
for _name, _result, _arguments in (
    ("malloc", "p", "z"),
    ("realloc", "p", "pz"),
    ("free", "v", "p"),
):
    _function = getattr(libc, _name)
    _function.restype = _TYPES[_result]
    _function.argtypes = [_TYPES[letter] for letter in _arguments]


def load(path: Path | str) -> dict[str, Any]:
    """The functions of one libssh2, by their names without the prefix."""
    so = ctypes.CDLL(str(path))
    functions = {}
    for name, signature in _SIGNATURES.items():
        result, arguments = signature.split(" ")
        function = getattr(so, f"libssh2_{name}")
        function.restype = _TYPES[result]
        function.argtypes = [_TYPES[letter] for letter in arguments]
        functions[name] = function
    return functions


def text_on_heap(value: str) -> tuple[int, int]:
    """A copy that C may free, and its length."""
    data = value.encode()
    place: int = libc.malloc(len(data) + 1)
    ctypes.memmove(place, data + b"\0", len(data) + 1)
    return place, len(data)
