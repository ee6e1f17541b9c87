"""What pages say of known defects of libssh2."""

from tracelens.libssh2 import defects
from tracelens.libssh2.defects import Defect
from tracelens.reports.explain.page import Explanation, Section

_MOST = 5


def section(code: int | None, words: str, release: str | None = None) -> Section:
    """The known defects that show as an error, in a release where it is known; no lines where there are none.

    Most texts come with several numbers, so a text alone names none.
    """
    found = [defect for defect in defects.known() if code is not None and defect.shows_as(code, words)]
    if release:
        return Section(
            f"Known defects of libssh2 {release}", tuple(_line(defect) for defect in found if defect.is_in(release))
        )
    return Section("Known defects, where the release fits", tuple(_line(defect) for defect in found[:_MOST]))


def page(release: str) -> Explanation:
    """The page of a release."""
    found = tuple(_line(defect) for defect in defects.known() if defect.is_in(release))
    none = "None that this table knows."
    body = (Section("Known defects", found or (none,)),)
    return Explanation(f"libssh2 {release}", "libssh2-release", body)


def _line(defect: Defect) -> str:
    backend = f" with {defect.backend}" if defect.backend else ""
    codes = ", ".join(str(code) for code in defect.codes)
    retry = " Another attempt may work." if defect.retry else ""
    return (
        f"{defect.releases}{backend} ({codes}): {defect.says} {defect.do}{retry} "
        f"({defect.remedy[0].upper()}{defect.remedy[1:]}; {defect.source})"
    )
