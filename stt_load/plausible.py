"""What numbers from elsewhere (a file, a worker, a sidecar) must be to be believed. What is not is refused where it is
read, and makes no figure. The limits are far beyond what can be measured, and near enough for sums to be finite.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=-1e6, le=1e6)]  # signed: some latencies are below zero
Length = Annotated[float, Meta(ge=0, le=1e6)]  # seconds
Moment = Annotated[float, Meta(ge=-1e6, le=1e11)]  # seconds since 1970, or since a machine started
ClockOffset = Annotated[float, Meta(ge=-1e11, le=1e11)]  # seconds between two clocks, one of which may start in 1970
Milliseconds = Annotated[float, Meta(ge=-1e12, le=1e12)]
Percent = Annotated[float, Meta(ge=0, le=1e6)]  # of one core: a process may use many
FrameLength = Annotated[float, Meta(gt=0, le=1e6)]  # milliseconds
Bytes = Annotated[float, Meta(ge=-1e18, le=1e18)]  # signed: a process may give some back
Mebibytes = Annotated[float, Meta(ge=0, le=1e12)]
Ratio = Annotated[float, Meta(ge=0, le=1e9)]  # insertions have no upper end
Part = Annotated[float, Meta(gt=1e-6, lt=1)]  # of a whole
AtLeastOne = Annotated[int, Meta(ge=1, le=10**9)]
SignedMilliseconds = Annotated[int, Meta(ge=-(10**9), le=10**9)]
Count = Annotated[int, Meta(ge=0, le=10**9)]
SampleNumber = Annotated[int, Meta(ge=0, le=10**15)]


Kind = TypeVar("Kind")


def learned(kind: type[Kind]) -> type[Kind]:
    """Has msgspec look at a kind of row at once, as a decorator of its class. It would do so when the first row is
    checked, and a second thread that checks one meanwhile is handed half of what it found, and crashes the process
    (msgspec 0.22)."""
    msgspec.json.Decoder(kind)
    return kind


def objection(value: object, kind: Any) -> str:
    """What is wrong with a JSON value that must be of a kind, in one line with its key; "" where nothing is."""
    try:
        msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        return error_line(error)
    return ""


def error_line(error: msgspec.ValidationError) -> str:
    """What msgspec says of a value, with its key first: `frames`: expected int, got float."""
    text, _, path = str(error).partition(" - at ")
    key = path.strip("`").removeprefix("$").removeprefix(".")
    what = re.sub(r"`([^`]*)`", r"\1", text)
    what = f"{what[:1].lower()}{what[1:]}"
    return f"`{key}`: {what}" if key else what
