<?php
/* PHP's ssh2 extension through the steps of a plan (JSON, the first argument): {"port", "times", "sessions"}.
   Each session is a list of steps, {"do", ...}; a step that fails ends it, unless it may fail. All sessions are made
   `times` times. Exit status 1: a session failed. */

error_reporting(E_ALL & ~E_WARNING);
$plan = json_decode($argv[1]);

function everything($stream)
{
    if ($stream === false) {
        return false;
    }
    stream_set_blocking($stream, true);
    while (!feof($stream) && fread($stream, 8192) !== false) {
    }
    return fclose($stream);
}

/** Reads a file through the sftp wrapper; `pause` milliseconds after each block; ends PHP where it must `leave`. */
function get($sftp, $step)
{
    $file = fopen("ssh2.sftp://" . intval($sftp) . $step->path, "r");
    if ($file === false) {
        return false;
    }
    while (!feof($file)) {
        if (fread($file, 8192) === false) {
            return false;
        }
        if (ftell($file) >= ($step->leave ?? PHP_INT_MAX)) {
            exit(0);
        }
        usleep(1000 * ($step->pause ?? 0));
    }
    return fclose($file);
}

function ls($sftp, $path)
{
    $folder = opendir("ssh2.sftp://" . intval($sftp) . $path);
    if ($folder === false) {
        return false;
    }
    while (readdir($folder) !== false) {
    }
    closedir($folder);
    return true;
}

function put($sftp, $path, $size)
{
    $file = fopen("ssh2.sftp://" . intval($sftp) . $path, "w");
    return $file !== false && fwrite($file, str_repeat("0123456789abcdef", intdiv($size, 16))) !== false && fclose($file);
}

function taken($step, $ssh, $sftp)
{
    switch ($step->do) {
        case "ask_methods":
            return is_array(ssh2_auth_none($ssh, $step->user));
        case "password":
            return ssh2_auth_password($ssh, $step->user, $step->password);
        case "key":
            return ssh2_auth_pubkey_file($ssh, $step->user, $step->public, $step->private, $step->passphrase ?? "");
        case "agent":
            return ssh2_auth_agent($ssh, $step->user);
        case "exec":
            return everything(ssh2_exec($ssh, $step->command, $step->pty ?? null));
        case "shell":
            return ssh2_shell($ssh, "vt102") !== false;
        case "forward":
            return ssh2_tunnel($ssh, "127.0.0.1", $step->port) !== false;
        case "scp_get":
            return ssh2_scp_recv($ssh, $step->path, "/dev/null");
        case "scp_put":
            return ssh2_scp_send($ssh, __FILE__, $step->path, 0644);
        case "ls":
            return ls($sftp, $step->path);
        case "get":
            return get($sftp, $step);
        case "put":
            return put($sftp, $step->path, $step->size ?? 1024);
        case "stat":
            return ssh2_sftp_stat($sftp, $step->path) !== false;
        case "mkdir":
            return ssh2_sftp_mkdir($sftp, $step->path);
        case "unlink":
            return ssh2_sftp_unlink($sftp, $step->path);
        case "rename":
            return ssh2_sftp_rename($sftp, $step->path, $step->to);
        case "sleep":
            return usleep(1000000 * $step->seconds) === null;
        case "refuse": /* as a script that knows another fingerprint */
            ssh2_fingerprint($ssh);
            return false;
    }
    exit(64);
}

function session($plan, $steps)
{
    $ssh = ssh2_connect("127.0.0.1", $plan->port, isset($plan->methods) ? (array) $plan->methods : null);
    if ($ssh === false) {
        return false;
    }
    $sftp = null;
    foreach ($steps as $step) {
        if ($step->do == "sftp") {
            $sftp = ssh2_sftp($ssh);
            $well = $sftp !== false;
        } else {
            $well = taken($step, $ssh, $sftp);
        }
        if (!$well && !($step->may_fail ?? false)) {
            return false;
        }
    }
    $sftp = null;
    return ssh2_disconnect($ssh);
}

$failed = 0;
for ($i = 0; $i < ($plan->times ?? 1); $i++) {
    foreach ($plan->sessions as $steps) {
        $failed |= session($plan, $steps) ? 0 : 1;
    }
}
exit($failed);
