"""Forms in which programs print credentials that no name announces.

Each form has signs, one of which is on its line, and a pattern whose groups are the values.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

# A value of a command line, in quotes or up to a blank; and one that no port, count, path or word is.
_ARGUMENT = (
    rb"""(?:"([^"\n]{1,200})"(?=[\s;|&)"']|\Z)|'([^'\n]{1,200})'(?=[\s;|&)"']|\Z)"""
    rb"""|(?!["']\S{0,99}["'](?:\s|\Z))(\S{1,200}))"""
)
_UNLIKE_WORDS = (
    rb"(?!(?:[a-z]{1,16}|[A-Z]{1,16})(?:[\s,;)]|\Z)|[a-z]{1,16}[-=][^\s]*|[\d.:,/-]{1,40}(?:\s|\Z)"
    rb"|[\w-]{1,60}\.[a-z]{1,4}(?:\s|\Z)|[/~.-]|\$[A-Z_{]{2}|[A-Za-z]:[\\/]|[\w.*-]{0,60}:\d)"
)
_TEXT = rb"""(?:\\?"(?:[^"\\\n]|\\[^"\n]){0,200}\\?"|'(?:[^'\\\n]|\\.){0,200}')"""
_VALUE = rb"""(?:\\?"((?:[^"\\\n]|\\[^"\n]){1,200})\\?"|'((?:[^'\\\n]|\\.){1,200})')"""
# A text in quotes begins a list of arguments or follows a comma.
_CALLED = b"""("|('|, "|, '|,"|,'|(\\"|,\\"|, \\\""""
_COMMA = rb"\s{0,4},\s{0,4}"
_OTHER = rb"""(?:[^"'(),;\n]{0,80}(?:\([^"'()\n]{0,60}\)[^"'(),;\n]{0,20})?)"""
# A user before a password: `orla`, `DOM\orla`, `orla@corp`.
_USER = rb"[^\s:/\"'@%]{1,64}(?:@[\w.-]{1,64})?"


class LazyPattern:
    """A pattern that is compiled when it is first used: most texts need few of them, and a small trace hardly any."""

    match: Callable[..., "re.Match[bytes] | None"]
    fullmatch: Callable[..., "re.Match[bytes] | None"]
    search: Callable[..., "re.Match[bytes] | None"]
    finditer: Callable[..., "Iterator[re.Match[bytes]]"]
    groups: int

    def __init__(self, source: bytes, flags: int = 0) -> None:
        self._source, self._flags = source, flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self._source, self._flags)
        for method in LazyPattern.__annotations__:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


class Form:
    """One form.

    Args:
        signs: separated by `|`; a line without any of them, in lower case, does not have the form.
        pattern: a verbose pattern.
        exact: whether case counts.
    """

    def __init__(self, signs: bytes, pattern: bytes, *, exact: bool = False) -> None:
        self.signs = signs.split(b"|")
        self.pattern = LazyPattern(pattern, re.X if exact else re.X | re.I)


FORMS = (
    # Headers: the scheme stays.
    Form(
        b"authorization",
        rb"""authorization ["']? \s{0,4} (?:[:=]|=>|,)? \s{0,4} \\?["']?
        [\w-]{2,20} [ ] ([^\n"\r]{1,4000})""",
    ),
    Form(
        b"bearer|negotiate",
        rb"(?<![a-z]) (?:bearer|negotiate) [ ] (?![a-z]{1,20}\b[^.+/=\d]) ([\w.+/=~-]{6,4000})",
    ),
    Form(b"basic ", rb"(?<![a-z]) basic [ ] ((?=[a-z0-9+/]{0,80}(?-i:[A-Z0-9+/=]))[a-z0-9+/]{8,400}={0,2})(?![\w-])"),
    Form(b"cookie", rb"(?<![a-z-]) (?:set-)?cookie2? : [ ] ([^\n\r]{1,4000})"),
    # URLs: user:password@host. A password may hold @ and /: then it ends at the last @ before a host.
    Form(b"://", rb"""://[^\s/@:"']{0,64} : ([^\s/<>]{1,200}) @"""),
    Form(b"://", rb"""://[^\s/@:"']{0,64} : ([^\s"'<>]{1,200}) @ (?=[a-z0-9.\[-]{1,80}(?:[:/\s?"'\]]|\Z))"""),
    Form(
        b"sig=|sig%3d|signature=|x-amz|x-goog|key=|code=",
        rb"""(?:[?&;]|%3f|%26)(?:sig|signature|x-amz-signature|x-goog-signature|x-amz-security-token|code|key)(?:=|%3d)
        ((?:(?!&\w{1,20}=)[^\s<>]){6,2000})""",
    ),
    Form(
        b"@",
        rb"""(?<![\w/.@-])(?!mailto|from|to|by|scp|sftp|ssh|host|user|https?|ftps?)[\w.-]{1,40}:
        ((?=[^\s@]{0,60}[A-Z#!$%&*+?=^~-])(?=[^\s@]{0,60}\d)[^\s:/<>]{6,80})@(?=[\w.-]{1,80}(?:[:/\s]|\Z))""",
        exact=True,
    ),
    # user/password@host, as Oracle's tools take it.
    Form(
        b"jdbc:oracle|sqlplus|userid=|exp|imp|sqlldr",
        rb"""(?:jdbc:oracle:\w{2,8}:|sqlplus \s (?:-\w+\s){0,4}|(?:exp|imp|expdp|impdp|sqlldr)\s(?:userid=)?|userid=)
        ["']?[\w.$-]{1,64}/ (?: \\?"([^\n]{1,200})\\?" | ([^\s]{1,200}) ) (?=["']?(?:@|\s|\Z))""",
    ),
    # Options: curl, mysql, net use, plink, smbclient, lftp, openssl, keytool, ssh-keygen.
    Form(
        b"-u|--user|--proxy-user|--login|--auth|--cred|-a",
        rb"""(?<![\w-])(?:-u|-U|--user|--proxy-user|--userpwd|--login|--auth|--creds?|-a)[ =]?["']?(?!\w{2,8}://)
        (?!\d{1,10}:\d{1,10}(?:\s|\Z))"""
        + _USER
        + rb""":(?!//|\\)(?:(?<=["'][^\s"'])|)([^\n\s]{1,200}(?:[^\n"']{0,80}(?=["']))?)""",
        exact=True,
    ),
    Form(
        b"-u|--user",
        rb"""(?<![\w-])(?:-U|--user)[ =]?["']?[^\s%"'=-][^\s%"']{0,80}%([^\s]{1,200})""",
        exact=True,
    ),
    Form(b"lftp", rb"""lftp \s [^\n]{0,80}? -u \s{1,4} ["']?[^\s,"']{1,64},([^\s]{1,200})"""),
    Form(b"sshpass", rb"\bsshpass\s{1,4}(?:-v\s{1,4})? -p \s{0,4}" + _ARGUMENT),
    Form(b"-p", rb"(?<![\w-])-p\s{1,4}" + _UNLIKE_WORDS + _ARGUMENT, exact=True),
    Form(b"-p", rb"(?<![\w-])-p(?=['\"])" + _ARGUMENT, exact=True),
    Form(
        b"-p",
        rb"(?<![\w-])-p(?!assword|\d+(?:\s|\Z|:))"
        + _UNLIKE_WORDS
        + rb"""(?=[^\s]{0,60}[A-Z0-9#!$%&*+?@^~])([^\s]{4,200})""",
        exact=True,
    ),
    Form(b"mysql|mariadb", rb"\b(?:mysql\w*|mariadb[\w-]*)\s[^\n|;]{0,200}?\s-p([^\s\"']{1,200})"),
    Form(
        b"mongo|psql|sqlcmd|bcp|isql|mosquitto|redis-cli|ldap|7z|zip|rar|docker|htpasswd",
        rb"""\b(?:mongo\w*|psql|sqlcmd|bcp|isql|mosquitto_\w{3}|redis-cli|ldap\w+|7za?|unzip|zip|rar|docker|htpasswd)
        (?:\s[^\n|;]{0,200}?)?\s-[pPwa]\s{1,4}(?!-|\d{1,5}(?::|\s|\Z)|/)"""
        + _ARGUMENT,
    ),
    Form(b"/p:|/pass|/pwd:|/pw:|/rp:", rb"(?<!\w)/(?:p|pass|password|pwd|pw|rp):" + _ARGUMENT),
    Form(b"/u", rb"\bnet\d?\s use \s [^\n]{0,160}? /u(?:ser)?:\S{1,80}\s{1,8} (?!/) (\S{1,200})"),
    Form(
        b"/u",
        rb"\bnet\d?\s use \s{1,4} (?:\w:|\*)?\s{0,4} \\\\\S{1,200} \s{1,8} (?![/*]) (\S{1,200}) (?=[^\n]*/u)",
    ),
    Form(b"net user|net1 user", rb"\bnet\d?\s user \s{1,4} [\w.$-]{1,64} \s{1,4} (?![/*]) (\S{1,200})"),
    Form(b"pass:", rb"(?<!\w)(?:-in|-out)?(?:-?pass(?:in|out)?\s{1,4})?\bpass:([^\s\"']{1,200})"),
    Form(
        b"pass",
        rb"(?<![\w-])-{1,2}(?:store|key|src|dest|src-?store|dest-?store|key-?store)pass(?:wd)?[ =]" + _ARGUMENT,
    ),
    Form(b"openssl", rb"\bopenssl\s[^\n|;]{0,200}?\s-k\s{1,4}" + _ARGUMENT),
    Form(b"/u|/rp", rb"\b(?:runas|schtasks)\s[^\n]{0,200}?/(?:u(?:ser)?:\S{1,80}|rp)\s{1,4}(?![/\"])(\S{4,200})"),
    Form(b"ssh-keygen", rb"\bssh-keygen\s[^\n]{0,200}?\s-[NP]\s{1,4}" + _ARGUMENT),
    Form(
        b"echo",
        rb"""\becho\s{1,4}(?:-n\s)?["']?([^\s|]{1,200})["']?\s{0,4}\|
        [^\n]{0,60}(?:sudo\s[^\n]{0,20}-S|passwd|chpasswd|--stdin)""",
    ),
    Form(b"pass", rb"\b(?:user|login|account)[ =:]{1,3}\S{1,64} [ ,/]{1,3} pass(?:word)? [ ] (\S{1,200})"),
    # Protocols and databases.
    Form(
        b"identified",
        rb"\bidentified\s{1,4}by\s{1,4}(?:password\s{1,4})?(?:values\s{1,4})?" + _ARGUMENT,
    ),
    Form(
        b"pass|auth",
        rb"""(?:(?:^|\s)(?:PASS|AUTH)\s(?![A-Z]{2,20}\b|[a-z]{2,16}(?:\s|\Z)|\d{1,4}\s)|>\s?PASS\s)(\S{3,200})
        \s{0,3}\Z""",
        exact=True,
    ),
    Form(b"auth ", rb"\bAUTH\s(?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5)\s([A-Za-z0-9+/=]{4,2000})", exact=True),
    Form(
        b"login",
        rb"\bLOGIN\s\"?[\w.@-]{1,64}\"?\s(?![a-z]{1,16}(?:\s|\Z))\"?(\S{4,200})\s{0,3}\Z",
        exact=True,
    ),
    # Calls: what follows the user in one that logs in, the last text of one that connects with a user.
    Form(
        _CALLED,
        rb"(?:pass(?:word|wd|phrase)?|auth\w{0,40}|log_?[io]n|logon|credentials?|identity|sign_?in|key)\w{0,40}\s?\("
        + _OTHER + rb"(?:" + _COMMA + _OTHER + rb"){0,6}" + _TEXT + rb"(?:" + _COMMA + rb"[^\"'(),\n]{0,60}){0,3}"
        + _COMMA + _VALUE + rb"(?:" + _COMMA + _VALUE + rb"){0,3}",
    ),
    Form(
        _CALLED,
        rb"(?:pass(?:word|wd|phrase)?|pwd|secret)\w{0,20}\s?\(\s?(?:[\w$&>.-]{1,40}" + _COMMA + rb"){0,3}" + _VALUE
        + rb"\s?[,)]",
    ),
    Form(
        _CALLED,
        rb"(?:connect|open|start|session|client|transport|login|auth\w{0,30})\w{0,20}\s?\(" + _OTHER + _TEXT + rb"(?:"
        + _COMMA + rb"[^\"'()\n]{0,60}){0,2}" + _COMMA + _TEXT + rb"(?:" + _COMMA + rb"[^\"'(),\n]{0,40}){0,2}"
        + _COMMA + _VALUE,
    ),
    Form(
        _CALLED,
        rb"(?:connect|open|start)\w{0,20}\s?\((?:[^\"'(),\n]{1,60}" + _COMMA + rb"){1,3}" + _TEXT + _COMMA + _VALUE,
    ),
    Form(
        b"auth|login|logon|log_in",
        rb"(?:auth\w{0,30}|log_?in|logon)\w{0,20}\s?\(\s?[\w.@\\-]{1,64}\s{0,2},\s{0,2}([^\s\"'(),][^\s,]{3,200})\s?\)",
    ),
    Form(
        b"cred|logging|login|authenticat|connect",
        rb"""\b(?:credentials?|creds?|logging\sin|login|authenticat\w{2,5}|connect\w{0,4})(?:\s|:)
        \s{0,2}(?:(?:as|with|using|:)\s{1,2})?(?:user\s)?[\w.@\\-]{1,64}[/:](?!//|\d{1,5}\b)([^\s/]{4,200})""",
    ),
    Form(
        b"auth|cred|login",
        rb"\b(?:auth|credentials?|creds?|login)[\"']?\s?[=:]>?\s?[(\[]\s?" + _TEXT + _COMMA + _VALUE,
    ),
    # Keys and tokens that tell what they are, and hashes of passwords.
    Form(
        b"akia|asia|gh|glpat|xox|sk_|rk_|pk_|sk-|aiza|ya29|npm_|eyj|sg.|hf_|dop_",
        rb"""\b((?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,64}
        |xox[abeoprs]-[\w-]{10,255}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,255}|sk-[A-Za-z0-9_-]{20,255}
        |AIza[\w-]{30,50}|ya29\.[\w-]{20,255}|npm_[A-Za-z0-9]{30,50}|SG\.[\w-]{16,32}\.[\w-]{16,64}
        |eyJ[\w-]{8,2000}\.[\w-]{4,4000}\.[\w-]{0,2000}|hf_[A-Za-z0-9]{30,50}|dop_v1_[0-9a-f]{60,70})""",
        exact=True,
    ),
    Form(
        b"$1$|$2|$5$|$6$|$7$|$y$|$apr1$|$argon2|$scrypt|$pbkdf2",
        rb"(?<![\w$])(\$(?:1|2[abxy]?|5|6|7|y|apr1|argon2\w{1,2}|scrypt|pbkdf2[\w-]{0,10})\$[\w./$=,+-]{8,300})",
    ),
    Form(
        b"{sha|{ssha|{md5|{smd5|{crypt|{pbkdf2",
        rb"(\{(?:s?sha\d{0,3}|s?md5|crypt|pbkdf2[\w-]{0,10})\}[a-z0-9+/=$./]{8,300})",
    ),
)  # fmt: skip
