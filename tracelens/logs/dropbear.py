"""Joins the lines of dropbear: one process for each connection."""

from tracelens.logs.joining import Joining


class Dropbear(Joining):
    """Joins by the process number, and by the client's address and port where a log has none."""

    server = "dropbear"
    programs = ("dropbear",)
    sign = "Child connection from "
    ends = (
        *("client_closed", "client_disconnected", "exited", "server_client_timeout", "server_login_grace_time"),
        *("server_no_common_algorithm", "server_max_auth_tries", "server_version_refused", "server_user_changed"),
        *("server_session_failed", "server_host_key_missing", "server_protocol_error", "server_crashed"),
    )
    early = (
        *("server_user_unknown", "server_user_not_allowed", "server_shell_invalid", "server_account_locked"),
        *("server_root_not_permitted", "server_account_expired", "server_password_expired", "server_pam_refused"),
        *("server_file_modes", "server_key_options"),
    )
