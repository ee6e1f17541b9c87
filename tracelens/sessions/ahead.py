"""Items that wait until later ones show whose they are."""

from collections import deque
from collections.abc import Sequence

from tracelens.libssh2.errors import classify
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import EAGAIN, FAILURE
from tracelens.reader import Item
from tracelens.sessions.beginnings import STARTS, may_be_exchanged_again
from tracelens.sessions.state import State

# How many further items are read before an item is given to one of several sessions.
_AHEAD = 120
# After an exchange's end so many tell whether it is the session's first.
_NEAR = 6
# So many are looked through for the end of a key exchange, which has fewer; but a client that does not block polls.
_EXCHANGE = 2_000


class Ahead:
    """The items that were read and not yet given to a session.

    `first_exchange` says of the last item that `take` gave, if it is a "Sent KEX", whether it begins the first key
    exchange of its session; None where the later items do not tell.
    """

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.first_exchange: bool | None = None
        self._exchange: _Exchange | None = None  # what follows the first item, if that begins an exchange

    def copy(self) -> "Ahead":
        """Return the same items, to be tried out."""
        copied = Ahead()
        copied.items.extend(self.items)
        return copied

    def add(self, item: Item) -> None:
        """Add the item that was read next."""
        self.items.append(item)
        if self._exchange is not None:
            self._exchange.add(item)

    def take(self, sessions: Sequence[State], *, at_end: bool = False) -> Item | None:
        """Return the first item, if no more items are needed to see which of the open sessions it belongs to."""
        if not self.items or (self._awaits_more(sessions) and not at_end):
            return None
        exchange, self._exchange = self._exchange, None
        self.first_exchange = exchange.is_first if exchange is not None else None
        return self.items.popleft()

    def _awaits_more(self, sessions: Sequence[State]) -> bool:
        item = self.items[0]
        if isinstance(item, Event) and may_be_exchanged_again(item, sessions):
            if self._exchange is None:
                self._exchange = _Exchange()
                for later in list(self.items)[1:]:
                    self._exchange.add(later)
            return not self._exchange.known
        # The items after an answer show whose it was, if several sessions wait for one.
        return len(sessions) > 1 and len(self.items) <= _AHEAD


class _Exchange:
    """The items after a "Sent KEX", up to those that tell whether it is the first exchange of a session."""

    def __init__(self) -> None:
        self.is_first: bool | None = None
        self.known = False  # no further item is needed
        self._seen = 0
        self._newkeys_at = 0

    def add(self, item: Item) -> None:
        """Look at the next item."""
        self._seen += 1
        if self._seen > _EXCHANGE or 0 < self._newkeys_at < self._seen - _NEAR:
            self.known = True
        elif isinstance(item, Event) and not self.known:
            self._look_at(item)

    def _look_at(self, event: Event) -> None:
        if event.name == FAILURE:
            text = classify(str(event.fields.get("message", "")))
            if text.name == "kex.not_exchanged" and event.fields.get("code") != EAGAIN:
                self._tell(first=True)
        elif event.name == "key_ex.session_id_calculated":
            self._tell(first=True)
        elif event.name == "key_ex.sent_kex" or event.name in STARTS:
            self.known = True  # it was not finished
        elif event.name == "key_ex.newkeys_received":
            self._newkeys_at = self._seen
        elif self._newkeys_at and event.context == "Key Ex":
            self._tell(first=False)

    def _tell(self, *, first: bool) -> None:
        self.is_first, self.known = first, True
