"""The times that loggers print -> `Stamp`."""

import calendar
import re
from datetime import UTC, datetime, timedelta

from tracelens.logs.model import Stamp

_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if number}
_DAY = 86400
_SYSLOG = re.compile(
    r"(?:\w{3},? )?(\w{3}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: (\d{4}))?"
)
_ISO = re.compile(
    r"(?:\w{3} )?(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(Z|UTC|[+-]\d\d:?\d\d)?"
)
_UNIX = re.compile(r"(\d{9,10})\.(\d{6})")
# Where a log names no year: a leap year, so that each day exists.
_BASE = 1972
KEPT = 4096
_LATE = 30 * _DAY  # a line of the old year that comes this late in the new one is no line of the new year's end


class Times:
    """Reads the times of one log. Where it names no year, a day far before the last one begins another year."""

    def __init__(self) -> None:
        self._known: dict[str, Stamp | None] = {}
        self._is_yearless = False
        self._year, self._last = _BASE, 0.0

    def stamp(self, text: str) -> Stamp | None:
        """The stamp of a time as it is printed; None for what is none."""
        found = self._known.get(text)
        if found is None and text not in self._known:
            found = self._read(text)
            if len(self._known) >= KEPT or self._is_yearless:
                self._known.clear()  # the same day may come again in another year
            self._known[text] = found
            self._is_yearless = found is not None and not found.has_year
        return found

    def _read(self, text: str) -> Stamp | None:
        try:
            if iso := _ISO.match(text):
                return _iso(iso)
            if unix := _UNIX.match(text):
                return Stamp(float(unix[0]), 0, True, 0.000001)
            if syslog := _SYSLOG.match(text):
                return self._syslog(syslog)
        except (ValueError, OverflowError):
            pass
        return None

    def _syslog(self, found: re.Match[str]) -> Stamp | None:
        month = _MONTHS.get(found[1].capitalize())
        if month is None:
            return None
        year = found[3] or found[8]
        day, clock = int(found[2]), (int(found[4]), int(found[5]), min(int(found[6]), 59))
        fraction, step = _fraction(found[7])
        if year:
            moment = datetime(int(year), month, day, *clock, tzinfo=UTC)
            return Stamp(moment.timestamp() + fraction, None, True, step)
        days = (datetime(_BASE, month, day, tzinfo=UTC) - datetime(_BASE, 1, 1, tzinfo=UTC)).days
        seconds = _epoch(self._year) + days * _DAY + clock[0] * 3600 + clock[1] * 60 + clock[2] + fraction
        if seconds < self._last - 180 * _DAY:
            self._year += 1
            seconds += 366 * _DAY
        elif self._last and 0 < self._last - (seconds - 366 * _DAY) < _LATE:
            seconds -= 366 * _DAY
        self._last = max(self._last, seconds)
        return Stamp(seconds, None, False, step)


def _epoch(year: int) -> float:
    """The beginning of a year in which each year is a leap year."""
    return datetime(_BASE, 1, 1, tzinfo=UTC).timestamp() + (year - _BASE) * 366 * _DAY


def _iso(found: re.Match[str]) -> Stamp:
    fraction, step = _fraction(found[7])
    parts = [int(found[group]) for group in range(1, 6)]
    moment = datetime(parts[0], parts[1], parts[2], parts[3], parts[4], min(int(found[6]), 59), tzinfo=UTC)
    zone = found[8]
    if zone is None:
        return Stamp(moment.timestamp() + fraction, None, True, step)
    minutes = 0 if zone in ("Z", "UTC") else int(zone[:3]) * 60 + int(zone[0] + zone[-2:])
    return Stamp((moment - timedelta(minutes=minutes)).timestamp() + fraction, minutes, True, step)


def _fraction(digits: str | None) -> tuple[float, float]:
    """The part of a second that the digits are, and the clock's resolution."""
    return (float(f"0.{digits}"), 10.0 ** -min(len(digits), 6)) if digits else (0.0, 1.0)
