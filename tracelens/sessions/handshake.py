"""Banner, key exchange, service request and disconnect: the steps of the transport layer (RFC 4253)."""

import re

from tracelens.libssh2.errors import classify
from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet
from tracelens.sessions.model import Disconnect, Failure, Quote
from tracelens.sessions.state import State, on, on_packet
from tracelens.sessions.unanswered import pending_request

# A KEXDH_INIT or KEX_ECDH_INIT of this size is a number, a length of 0, and no public key (RFC 4253, 8; RFC 5656, 4).
EMPTY_KEX_INIT = 5
_HOST_KEY_NOT_VERIFIABLE = 9  # RFC 4253, 11.1
_ABOUT_HOST_KEYS = re.compile(r"(?i)(?:host|server).{0,3}keys?\b|known.?hosts|fingerprint")
# The names that texts use for a KEXINIT's lists -> ours.
LIST_NAMES = {
    "kex": "kex",
    "hostkey": "hostkey",
    "crypt_cs": "cipher_cs",
    "crypt_sc": "cipher_sc",
    "mac_cs": "mac_cs",
    "mac_sc": "mac_sc",
    "comp_cs": "comp_cs",
    "comp_sc": "comp_sc",
    "lang_cs": "lang_cs",
    "lang_sc": "lang_sc",
}
# A signature shorter by more than this many bytes lacks more than leading zeros.
_LEADING_ZEROS = 2
_LOOKS_KEPT = 6


def list_name(event: str) -> str:
    """The list that a "Sent ..." or "Agreed on ..." event is about, such as "cipher_cs"."""
    return LIST_NAMES[event.partition("_ex.")[2].partition("_")[2]]


@on("transport.session_startup")
def _session_startup(state: State, event: Event) -> None:
    state.socket = event.fields.get("socket")


@on("transport.banner_sent")
def _banner_sent(state: State, event: Event) -> None:
    state.session.banner.client = str(event.fields.get("banner", "")).rstrip()
    state.session.banner.client_line = event.line


@on("transport.banner_received")
def _banner_received(state: State, event: Event) -> None:
    text = str(event.fields.get("banner", "")).rstrip("\r\n")
    state.session.banner.received.append(Quote(event.line, text))
    state.session.banner.server = text
    if text.startswith("SSH-"):
        state.enter("kex", event.line)


@on("socket.banner_bytes_received")
def _banner_bytes(state: State, event: Event) -> None:
    size = event.fields.get("size", 1)
    state.session.banner.bytes += size if isinstance(size, int) and size > 0 else 0


@on("transport.disconnect_sent")
def _disconnect_sent(state: State, event: Event) -> None:
    reason, description = _disconnect_fields(event)
    state.session.disconnects.append(Disconnect(event.line, reason, description, True))
    if not state.session.login.authenticated and _says_why(state, reason, description):
        message = description or f"reason {reason}"
        state.session.failures.append(Failure(event.line, event.time, None, message, "kex", "left"))
    mark_end(state, event)
    state.session.ending.by_client = True
    state.closed = True


def _says_why(state: State, reason: int | None, description: str) -> bool:
    """Whether the client's disconnect names a fault of the key exchange, or of the host key that it brought."""
    if "kex.strict_violation" in classify(description).names:
        return True
    about_host_key = reason == _HOST_KEY_NOT_VERIFIABLE or _ABOUT_HOST_KEYS.search(description) is not None
    return about_host_key and (state.session.kex.done or state.phase == "kex")


@on("transport.session_freed")
def _session_freed(state: State, event: Event) -> None:
    mark_end(state, event)
    state.freed = state.closed = True
    state.session.ending.freed_line = event.line
    state.session.ending.by_client = True


def mark_end(state: State, event: Event) -> None:
    """The client's clean-up begins: a request that is still open was given up here."""
    session = state.session
    if (
        session.ending.gave_up_line
        or event.time is None
        or state.earlier_progress is None
        or pending_request(session) is None
    ):
        return
    session.ending.waited = max(event.time - state.earlier_progress, 0.0)
    session.ending.gave_up_line = event.line


@on("transport.disconnect_received")
def _disconnect_received(state: State, event: Event) -> None:
    _add_disconnect(state, event.line, *_disconnect_fields(event))


@on_packet("in", "disconnect", needs="reason")
def _in_disconnect(state: State, packet: Packet) -> None:
    fields = packet.fields
    description = fields.get("description", fields.get("description_begins", ""))
    _add_disconnect(state, packet.line, fields["reason"], description)


def _disconnect_fields(event: Event) -> tuple[int | None, str]:
    reason = event.fields.get("reason")
    return reason if isinstance(reason, int) else None, str(event.fields.get("description", ""))


def _add_disconnect(state: State, line: int, reason: int | None, description: str) -> None:
    session = state.session
    known = session.server_disconnect()
    if known is not None:
        # 1.4.3 and 1.9.0 print "(null)" where the packet has the text; a packet may not be shown to its end.
        if known.description == "(null)" or description.startswith(known.description):
            known.description = description or known.description
        known.reason = known.reason if known.reason is not None else reason
        return
    session.disconnects.append(Disconnect(line, reason, description, False))
    if not state.closed:
        attempt = session.login.attempts[-1] if session.login.attempts and not session.login.authenticated else None
        failure = Failure(line, state.clock, None, description, state.phase, "disconnect", attempt=attempt)
        failure.channel = state.channel
        session.failures.append(failure)


@on("transport.looking_for_packet")
def _looking_for(state: State, event: Event) -> None:
    number = event.fields.get("type")
    if isinstance(number, int):
        state.imply_by_number(number, event.line)
        session = state.session
        if number == state.last_received:
            session.waiting_for = ()  # libssh2 looks again for the packet that it has just read, and finds it
        elif number not in session.waiting_for:
            session.waiting_for = (*session.waiting_for, number)[-_LOOKS_KEPT:]


@on(*(f"key_ex.sent_{name}" for name in LIST_NAMES))
def _sent_list(state: State, event: Event) -> None:
    algorithms = event.fields.get("algorithms", ())
    if isinstance(algorithms, tuple):
        if event.name == "key_ex.sent_kex" and state.session.kex.done:
            state.session.kex.rekeys += 1
        _offer(state, "client", list_name(event.name), algorithms, event.line)


@on_packet("out", "kexinit", needs="kex")
@on_packet("in", "kexinit", needs="kex")
def _kexinit(state: State, packet: Packet) -> None:
    for name in filter(packet.fields.__contains__, LIST_NAMES.values()):
        _offer(state, "client" if packet.direction == "out" else "server", name, packet.fields[name], packet.line)


def _offer(state: State, side: str, name: str, algorithms: tuple[str, ...], line: int) -> None:
    session = state.session
    if session.kex.done and side in session.kex.offers and name in session.kex.offers[side]:
        return  # a re-exchange: the session's offers are the first ones
    session.kex.offers.setdefault(side, {})[name] = algorithms
    session.kex.offer_lines.setdefault(side, line)
    if state.phase == "banner":
        state.enter("kex", line)


@on(*(f"key_ex.agreed_{name}" for name in LIST_NAMES))
def _agreed(state: State, event: Event) -> None:
    state.session.kex.agreed.setdefault(list_name(event.name), str(event.fields.get("algorithm", "")))


@on("key_ex.fingerprint_md5", "key_ex.fingerprint_sha1", "key_ex.fingerprint_sha256")
def _fingerprint(state: State, event: Event) -> None:
    hash_name = event.name.removeprefix("key_ex.fingerprint_").upper()
    state.session.kex.fingerprints[hash_name] = str(event.fields.get("fingerprint", ""))


@on_packet("out", "kex_30")
def _kex_init(state: State, packet: Packet) -> None:
    if packet.size <= EMPTY_KEX_INIT:
        state.session.kex.empty_key_line = packet.line


@on_packet("in", "kex_31", needs="fingerprint")
@on_packet("in", "kex_33", needs="fingerprint")
def _kex_reply(state: State, packet: Packet) -> None:
    if "fingerprint" in packet.fields:
        state.session.kex.fingerprints.setdefault("SHA256", str(packet.fields["fingerprint"]).removeprefix("SHA256:"))
    signature, modulus = packet.fields.get("signature", 0), packet.fields.get("modulus", 0)
    if 0 < modulus - signature <= _LEADING_ZEROS:
        text = f"the signature has {signature} bytes, the RSA key {modulus}"
        state.session.lines["kex.signature_short"] = Quote(packet.line, text)


@on("key_ex.newkeys_received", "key_ex.session_id_calculated")
def _newkeys(state: State, event: Event) -> None:
    state.newkeys_received = True
    finish_kex(state, event.line)


@on_packet("in", "newkeys")
def _in_newkeys(state: State, packet: Packet) -> None:
    state.newkeys_received = True


@on("key_ex.extension_received")
def _extension(state: State, event: Event) -> None:
    state.session.kex.extensions[str(event.fields.get("extension", ""))] = str(event.fields.get("value", ""))


@on_packet("in", "ext_info")
def _ext_info(state: State, packet: Packet) -> None:
    state.session.kex.extensions.update(packet.fields.get("extensions", {}))


def finish_kex(state: State, line: int) -> None:
    """The keys are exchanged: the login follows."""
    if not state.session.kex.done:
        state.session.kex.done = True
        state.enter("auth", line)


@on("transport.userauth_requested")
def _service_requested(state: State, event: Event) -> None:
    finish_kex(state, event.line)
    state.session.login.service_line = event.line


@on_packet("out", "service_request", needs="")
def _service_request(state: State, packet: Packet) -> None:
    finish_kex(state, packet.line)
    state.session.login.service_line = state.session.login.service_line or packet.line


@on_packet("in", "service_accept", needs="")
def _service_accept(state: State, packet: Packet) -> None:
    finish_kex(state, packet.line)
    state.session.login.service_accepted = True
