"""Banner, key exchange and service request: the steps before a login (RFC 4253)."""

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet
from tracelens.sessions.core import Core, on, packet
from tracelens.sessions.model import Attempt, Disconnect, Failure, Quote

# A KEXDH_INIT or KEX_ECDH_INIT of this size is a number, a length of 0, and no public key (RFC 4253, 8; RFC 5656, 4).
EMPTY_KEX_INIT = 5
# Text names of a KEXINIT's lists -> ours.
_LIST = {
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


def list_name(event: str) -> str:
    """The list that a "Sent ..." or "Agreed on ..." event is about, such as "cipher_cs"."""
    return _LIST[event.partition("_ex.")[2].partition("_")[2]]


# A signature shorter by more than this many bytes lacks more than leading zeros.
_LEADING_ZEROS = 2


class Handshake(Core):
    """Steps of the transport layer."""

    @on("transport.banner_sent")
    def _banner_sent(self, event: Event) -> None:
        self.session.client_banner = str(event.fields.get("banner", "")).rstrip()
        self.session.client_banner_line = event.line

    @on("transport.banner_received")
    def _banner_received(self, event: Event) -> None:
        text = str(event.fields.get("banner", "")).rstrip("\r\n")
        self.session.banners.append(Quote(event.line, text))
        self.session.server_banner = text
        if text.startswith("SSH-"):
            self.enter("kex", event.line)

    @on("socket.banner_bytes_received")
    def _banner_bytes(self, event: Event) -> None:
        size = event.fields.get("size", 1)
        self.session.banner_bytes += size if isinstance(size, int) and size > 0 else 0

    @on("transport.disconnect_sent")
    def _disconnect_sent(self, event: Event) -> None:
        reason = event.fields.get("reason")
        self.session.disconnects.append(
            Disconnect(
                event.line,
                reason if isinstance(reason, int) else None,
                str(event.fields.get("description", "")),
                True,
            )
        )
        self._mark_end(event)
        self.session.ended_by_client = True
        self.closed = True

    @on("transport.session_freed")
    def _session_freed(self, event: Event) -> None:
        self._mark_end(event)
        self.freed = self.closed = True
        self.session.freed_line = event.line
        self.session.ended_by_client = True

    def _mark_end(self, event: Event) -> None:
        """The client begins to tidy up: a request that is still open then was given up."""
        session = self.session
        if session.gave_up_line or event.time is None or self._before is None or session.pending() is None:
            return
        session.waited_last = max(event.time - self._before, 0.0)
        session.gave_up_line = event.line

    @on("transport.disconnect_received")
    def _disconnect_received(self, event: Event) -> None:
        reason = event.fields.get("reason")
        self._disconnected(
            event.line, reason if isinstance(reason, int) else None, str(event.fields.get("description", ""))
        )

    def _open_attempt(self) -> Attempt | None:
        attempts = self.session.attempts
        return attempts[-1] if attempts and not self.session.authenticated else None

    def _disconnected(self, line: int, reason: int | None, description: str) -> None:
        session = self.session
        known = session.server_disconnect()
        if known is not None:
            # 1.4.3 and 1.9.0 print "(null)" where the packet has the text.
            if not known.description or known.description == "(null)":
                known.description = description or known.description
            known.reason = known.reason if known.reason is not None else reason
            return
        session.disconnects.append(Disconnect(line, reason, description, False))
        if not self.closed:
            session.failures.append(
                Failure(
                    line,
                    self.clock,
                    None,
                    description,
                    self.phase,
                    "disconnect",
                    attempt=self._open_attempt(),
                    channel=self._channel,
                )
            )

    @on("transport.looking_for_packet")
    def _looking_for(self, event: Event) -> None:
        number = event.fields.get("type")
        if isinstance(number, int):
            session = self.session
            if number == self.answered:
                session.waiting_for = ()  # libssh2 looks once more for what it has just read, and finds it
                return
            if number not in session.waiting_for:
                session.waiting_for = (*session.waiting_for, number)[-6:]

    @on("transport.userauth_requested")
    def _service_requested(self, event: Event) -> None:
        self._kex_finished(event.line)
        self.session.service_line = event.line

    def _offer(self, side: str, name: str, algorithms: tuple[str, ...], line: int) -> None:
        session = self.session
        if session.kex_done and side in session.offers and name in session.offers[side]:
            return  # a re-exchange: the first one is the session's
        session.offers.setdefault(side, {})[name] = algorithms
        session.offer_lines.setdefault(side, line)
        if self.phase == "banner":
            self.enter("kex", line)

    @on(*(f"key_ex.sent_{name}" for name in _LIST))
    def _sent_list(self, event: Event) -> None:
        algorithms = event.fields.get("algorithms", ())
        if isinstance(algorithms, tuple):
            if event.name == "key_ex.sent_kex" and self.session.kex_done:
                self.session.rekeys += 1
            self._offer("client", list_name(event.name), algorithms, event.line)

    @on(*(f"key_ex.agreed_{name}" for name in _LIST))
    def _agreed(self, event: Event) -> None:
        self.session.agreed.setdefault(list_name(event.name), str(event.fields.get("algorithm", "")))

    @on("key_ex.fingerprint_md5", "key_ex.fingerprint_sha1", "key_ex.fingerprint_sha256")
    def _fingerprint(self, event: Event) -> None:
        self.session.fingerprints[event.name[19:].upper()] = str(event.fields.get("fingerprint", ""))

    @on("key_ex.extension_received")
    def _extension(self, event: Event) -> None:
        self.session.extensions[str(event.fields.get("extension", ""))] = str(event.fields.get("value", ""))

    @on("key_ex.newkeys_received", "key_ex.session_id_calculated")
    def _newkeys(self, event: Event) -> None:
        self.newkeys = True
        self._kex_finished(event.line)

    def _kex_finished(self, line: int) -> None:
        session = self.session
        if not session.kex_done:
            session.kex_done = True
            self.enter("auth", line)

    @packet("out", "kexinit")
    def _out_kexinit(self, packet: Packet) -> None:
        for name in _LIST.values():
            self._offer("client", name, packet.fields[name], packet.line)

    @packet("out", "kex_30")
    def _out_kex_30(self, packet: Packet) -> None:
        if packet.size <= EMPTY_KEX_INIT:
            self.session.empty_key_line = packet.line

    @packet("in", "kexinit")
    def _in_kexinit(self, packet: Packet) -> None:
        for name in _LIST.values():
            self._offer("server", name, packet.fields[name], packet.line)

    @packet("in", "newkeys")
    def _in_newkeys(self, packet: Packet) -> None:
        self.newkeys = True

    @packet("in", "service_accept")
    def _in_service_accept(self, packet: Packet) -> None:
        self._kex_finished(packet.line)
        self.session.service_accepted = True

    @packet("out", "service_request")
    def _out_service_request(self, packet: Packet) -> None:
        self._kex_finished(packet.line)
        self.session.service_line = self.session.service_line or packet.line

    @packet("in", "ext_info")
    def _in_ext_info(self, packet: Packet) -> None:
        self.session.extensions.update(packet.fields.get("extensions", {}))

    @packet("in", "disconnect")
    def _in_disconnect(self, packet: Packet) -> None:
        self._disconnected(packet.line, packet.fields["reason"], packet.fields["description"])

    @packet("in", "kex_31")
    @packet("in", "kex_33")
    def _in_kex_31(self, packet: Packet) -> None:
        if "fingerprint" in packet.fields:
            self.session.fingerprints.setdefault("SHA256", str(packet.fields["fingerprint"]).removeprefix("SHA256:"))
        signature, modulus = packet.fields.get("signature", 0), packet.fields.get("modulus", 0)
        if 0 < modulus - signature <= _LEADING_ZEROS:
            said = f"the signature has {signature} bytes, the RSA key {modulus}"
            self.session.lines["kex.signature_short"] = Quote(packet.line, said)
