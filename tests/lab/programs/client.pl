# Perl's Net::SSH2 through the steps of a plan (JSON, the first argument): {"port", "times", "sessions"}. Each session
# is a list of steps, {"do", ...}; a step that fails ends it, unless it may fail. All sessions are made `times` times;
# `silent` ones end without a disconnect. Exit status 1: a session failed.

use strict;
use warnings;
use JSON::PP;
use Net::SSH2;

my $plan = decode_json($ARGV[0]);

sub all_of {
    my ($channel) = @_;
    while (1) {
        my $got = $channel->read(my $block, 8192);
        return 0 if !defined $got;
        last if !$got;
    }
    return 1;
}

sub run {
    my ($ssh, $step) = @_;
    my $channel = $ssh->channel() or return 0;
    return 0 if $step->{env} && !$channel->setenv(%{ $step->{env} }) && !$step->{any_env};
    return 0 if $step->{pty} && !$channel->pty('vt100');
    $channel->exec($step->{command}) or return 0;
    all_of($channel) or return 0;
    $channel->close;
    return 1;
}

sub get {
    my ($sftp, $step) = @_;
    my $file = $sftp->open($step->{path}) or return 0;
    my $read = 0;
    while (1) {
        my $got = $file->read(my $block, 8192);
        return 0 if !defined $got;
        last if !$got;
        $read += $got;
        exit 0 if $step->{leave} && $read >= $step->{leave};
        select(undef, undef, undef, $step->{pause} / 1000) if $step->{pause};
    }
    return 1;
}

sub ls {
    my ($sftp, $path) = @_;
    my $folder = $sftp->opendir($path) or return 0;
    1 while $folder->read;
    return 1;
}

sub put {
    my ($sftp, $path, $size) = @_;
    my $file = $sftp->open($path, Fcntl::O_WRONLY() | Fcntl::O_CREAT() | Fcntl::O_TRUNC(), 0644) or return 0;
    return defined $file->write('0123456789abcdef' x ($size / 16));
}

my %steps = (
    ask_methods => sub { my ($ssh, $step) = @_; $ssh->auth_list($step->{user}) },
    password => sub { my ($ssh, $step) = @_; $ssh->auth_password($step->{user}, $step->{password}) },
    key => sub {
        my ($ssh, $step) = @_;
        $ssh->auth_publickey($step->{user}, $step->{public}, $step->{private}, $step->{passphrase});
    },
    agent => sub { my ($ssh, $step) = @_; $ssh->auth_agent($step->{user}) },
    keyboard => sub { my ($ssh, $step) = @_; $ssh->auth_keyboard($step->{user}, $step->{password}) },
    auth => sub { # all that it has, one after the other: Net::SSH2's own order
        my ($ssh, $step) = @_;
        $ssh->auth(username => $step->{user}, map { $_ => $step->{$_} } grep { $step->{$_} } qw(password publickey privatekey));
    },
    known => sub { my ($ssh, $step) = @_; $ssh->check_hostkey($step->{policy}, $step->{file}) },
    exec => \&run,
    forward => sub { my ($ssh, $step) = @_; $ssh->tcpip('127.0.0.1', $step->{port}) },
    listen => sub { my ($ssh, $step) = @_; $ssh->listen($step->{port}, '127.0.0.1') },
    scp_get => sub { my ($ssh, $step) = @_; $ssh->scp_get($step->{path}, '/dev/null') },
    scp_put => sub { my ($ssh, $step) = @_; $ssh->scp_put($0, $step->{path}) },
    sleep => sub { my ($ssh, $step) = @_; select(undef, undef, undef, $step->{seconds}); 1 },
    exit => sub { require POSIX; POSIX::_exit(0) }, # without a word to the server
);
my %files = (
    ls => sub { my ($sftp, $step) = @_; ls($sftp, $step->{path}) },
    get => \&get,
    put => sub { my ($sftp, $step) = @_; put($sftp, $step->{path}, $step->{size} || 1024) },
    stat => sub { my ($sftp, $step) = @_; $sftp->stat($step->{path}) },
    mkdir => sub { my ($sftp, $step) = @_; $sftp->mkdir($step->{path}) },
    unlink => sub { my ($sftp, $step) = @_; $sftp->unlink($step->{path}) },
    rename => sub { my ($sftp, $step) = @_; $sftp->rename($step->{path}, $step->{to}) },
);

sub session {
    my ($steps) = @_;
    my $ssh = Net::SSH2->new(timeout => $plan->{timeout} || 6000);
    $ssh->method(%{ $plan->{methods} }) if $plan->{methods};
    $ssh->connect('127.0.0.1', $plan->{port}) or return 0;
    my $sftp;
    for my $step (@$steps) {
        my $done;
        if ($step->{do} eq 'sftp') {
            $done = $sftp = $ssh->sftp;
        }
        elsif (my $of_sftp = $files{ $step->{do} }) {
            $done = $of_sftp->($sftp, $step);
        }
        else {
            $done = $steps{ $step->{do} }->($ssh, $step);
        }
        return 0 if !$done && !$step->{may_fail};
    }
    undef $sftp;
    $ssh->disconnect if !$plan->{silent};
    return 1;
}

my $failed = 0;
for (1 .. $plan->{times} || 1) {
    for my $steps (@{ $plan->{sessions} }) {
        $failed = 1 if !session($steps);
    }
}
exit $failed;
