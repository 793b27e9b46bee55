"""How a stage ends that does not end well, and how that is told in one line."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

#: Characters of a reason: as many as Septet takes, with room for those that are several bytes.
MOST = 1_000

#: The longest wait that a stage may ask for, in seconds.
LONGEST = 7 * 24 * 3600


class Rejected(Exception):
    """The input can never work: the message goes to the poison queue at once, with the reason."""


class Retry(Exception):
    """Not now: the same is asked again after so many seconds."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason)
        self.seconds = min(max(float(seconds), 0.0), float(LONGEST))
        if self.seconds != self.seconds:
            raise ValueError("Retry wants a number of seconds, not NaN")


class Broken(Exception):
    """The call itself can't be used: it is not the stage's fault, and nothing was begun."""


def plain(text: object, most: int = MOST) -> str:
    """The text on one line, without what steers a terminal, and cut where it is too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def outcome_of(error: BaseException) -> dict[str, Any]:
    """The error outcome that an exception is."""
    if isinstance(error, Rejected):
        return {"rejected": plain(error) or "rejected without a reason"}
    if isinstance(error, Retry):
        reason = plain(error) or "retried without a reason"
        return {"retry": {"milliseconds": round(error.seconds * 1000), "reason": reason}}
    return {"failed": reason_of(error)}


def reason_of(error: BaseException) -> str:
    """What went wrong, and where in the stage's own files."""
    if isinstance(error, Broken):
        return plain(error)
    if isinstance(error, SystemExit):
        return plain(f"the stage ended the program (sys.exit({error.code!r})) instead of returning")
    told = plain(error, MOST - 200)
    told = f"{type(error).__name__}: {told}" if told else type(error).__name__
    place = _place(error)
    return f"{told} ({place})" if place else told


def _place(error: BaseException) -> str | None:
    """The innermost line that belongs neither to this package nor to an installed one."""
    ours = str(Path(__file__).resolve().parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = frame.filename
        foreign = "site-packages" in path or "dist-packages" in path or path.startswith("<")
        library = f"{Path(traceback.__file__).parent}"
        if not foreign and not path.startswith((ours, library)):
            return plain(f"{Path(path).name}, line {frame.lineno}", 200)
    return None
