"""Joins the lines of ProFTPD with mod_sftp: one process for each connection, in SFTPLog, SystemLog and syslog alike."""

from tracelens.logs.joining import Joining


class ProFTPD(Joining):
    """Joins by the process number."""

    server = "ProFTPD"
    programs = ("proftpd", "mod_sftp", "mod_sftp_pam", "mod_sftp_sql")
    sign = ") connected to server ("
    ends = (
        *("client_closed", "client_disconnected", "server_disconnected", "exited", "server_client_timeout"),
        *("server_login_grace_time", "server_version_refused", "server_user_changed", "server_crashed"),
    )
    alone = ("server_address_refused",)
