"""Words that name a secret, in the languages of programs and of their users."""

from functools import cache
from typing import TYPE_CHECKING

from tracelens.secrets.forms import FORMS, LazyPattern

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick


def _listed(words: str) -> list[str]:
    return words.split()


# Long enough to be found inside any name: SFTP_PASSWORD, sshPassword, userpasswd, password1.
LONG = _listed(
    "password passwd passphrase passcode passwrd pass-phrase pass-word pass_phrase pass_word "
    "secret credential authorization requirepass masterauth apikey "
    "passwort kennwort losungswort zugangscode contraseña contrasena palavra-passe wachtwoord lösenord adgangskode "
    "lykilorð salasana tunnuslause jelszó jelszo şifre slaptažodis пароль пароля паролем парола гасло лозинка "
    "κωδικός κωδικοσ סיסמה סיסמא المرور السر 密码 密碼 口令 パスワード パスフレーズ 暗証番号 비밀번호 암호 पासवर्ड "
    "รหัสผ่าน"
)
# Only as a word, or as one part of a name: DB_PASS, dbPass.
SHORT = _listed(
    "pass pwd pw psw pswd pword passw pasword pin otp totp tan token auth cred creds jwt sas cookie mdp psk "
    "senha passord heslo hasło haslo geslo lozinka zaporka parola parolă sifre parool parole sandi clave"
)
# Words beside which only what looks invented is a secret.
HINTS = (b"response", b"answer", b"login", b"logon", b"logging in", b"the code", b"community", b"unlock", b"yubikey")
# Words that also end a name in lower case: userpass, dbpwd; the exceptions are compass, bypass and the like.
GLUED = (b"pass", b"pwd")
NOT_GLUED = (b"by", b"com", b"sur", b"tres", b"en", b"under", b"over")
# Names of keys and codes, and phrases: the first word, and what follows.
_KEYS = _listed(
    "api access account secret private shared storage master encryption signing subscription license client service "
    "primary secondary auth deploy session app admin symmetric root hmac aes"
)
_CODES = _listed(
    "verification security one mfa 2fa totp otp auth access sms login confirmation duo pin backup recovery "
    "bestätigungs sicherheits einmal verifizierungs"
)
PHRASES = (
    (_KEYS, r"[a-z]{1,40}(?:[ _.-]{0,2}access)?[ _.-]{0,2}(?:key|token)(?![a-z])"),
    (_CODES, r"[a-z0-9\x80-\xff]{2,24}(?:[ _-]time)?[ _.-]{0,2}(?:pass)?(?:code|password|passwort|pin)(?![a-z])"),
    (["mot", "mots"], r"mots?[ _-]?de[ _-]?passe"),
    (["phrase"], r"phrase[ _-](?:de[ _-]passe|secr[a-z\x80-\xff]{2,6})"),
    (["frase"], r"frase[ _-]de[ _-](?:contrase|paso|acceso)[a-z\x80-\xff]{0,4}"),
    (["palavra"], r"palavra[ _-](?:passe|chave)"),
    (["kata"], r"kata[ _-]sandi"),
    (["mật", "mat"], r"m[a\x80-\xff]{1,3}t[ _-]kh[a\x80-\xff]{1,3}u"),
    (["code", "código", "codigo", "codice"], r"c[a-z\x80-\xff]{3,8}[ _-]d[ei'][ _-]?"
     r"(?:v[e\x80-\xff]{1,2}rif|s[e\x80-\xff]{1,2}c|seg|sic|acc)[a-z\x80-\xff]{2,10}"),
    (["connection"], r"connection[ _.-]?string"),
)  # fmt: skip


@cache
def _roots() -> tuple[list[bytes], list[tuple[str, LazyPattern | None]]]:
    """What is searched for in a text in lower case, and what each is."""
    kinds: dict[bytes, tuple[str, LazyPattern | None]] = {}
    for heads, rest in PHRASES:
        pattern = LazyPattern(rest.encode("latin-1"))
        for word in heads:
            kinds.update(dict.fromkeys(_cases(word), ("phrase", pattern)))
    for kind, words in (("short", SHORT), ("long", LONG)):
        for word in words:
            kinds.update(dict.fromkeys(_cases(word), (kind, None)))
    for head in ("otp", "totp", "pin", "auth"):  # they begin phrases, too
        kinds[head.encode()] = ("both", kinds[head.encode()][1] or LazyPattern(PHRASES[1][1].encode("latin-1")))
    signs = list(dict.fromkeys([*HINTS, *(sign for form in FORMS for sign in form.signs)]))
    return [*kinds, *signs], [*kinds.values(), *[("sign", None)] * len(signs)]


def _cases(word: str) -> set[bytes]:
    """The word in lower and upper case; letters of ASCII are lower in each."""
    return {form.encode().lower() for form in (word, word.capitalize(), word.upper())}


@cache
def _automaton() -> "BytesAhoCorasick":
    from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

    return BytesAhoCorasick(_roots()[0], MatchKind.Standard, Implementation.ContiguousNFA)


def find(text: bytes) -> tuple[list[tuple[int, int]], list[tuple[int, bytes]]]:
    """Where a text names a secret, and where a sign of a form is, and which; both in order."""
    lower = text.lower()
    roots, kinds = _roots()
    found: list[tuple[int, int]] = []
    signs: list[tuple[int, bytes]] = []
    end = 0
    for number, start, stop in sorted(_automaton().find_matches_as_indexes(lower, overlapping=True), key=_place):
        kind, phrase = kinds[number]
        if kind == "sign":
            signs.append((start, roots[number]))
        elif start >= end and (last := _word_end(text, lower, start, stop, kind, phrase)):
            found.append((start, last))
            end = last
    return found, signs


def _word_end(text: bytes, lower: bytes, start: int, stop: int, kind: str, phrase: LazyPattern | None) -> int:
    """Where the word that begins here ends; 0 if it is no word for a secret."""
    longer = phrase.match(lower, start) if phrase is not None else None
    if longer is not None:
        return longer.end()
    return stop if kind == "long" or (kind != "phrase" and _is_part(text, lower, start, stop)) else 0


def _place(match: tuple[int, int, int]) -> tuple[int, int]:
    return match[1], -match[2]


def _is_part(text: bytes, lower: bytes, start: int, stop: int) -> bool:
    """Whether a word is a word of its own in the text, or one part of a name."""
    before, after = text[start - 1 : start], text[stop : stop + 1]
    if _is_letter(after) and not (after.isupper() and text[stop - 1 : stop].islower()):
        return False
    if not _is_letter(before) or (text[start : start + 1].isupper() and before.islower()):
        return True
    return lower[start:stop] in GLUED and not lower[max(start - 8, 0) : start].endswith(NOT_GLUED)


def _is_letter(byte: bytes) -> bool:
    return byte.isalpha() or byte >= b"\x80"
