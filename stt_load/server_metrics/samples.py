"""The samples of a server's answer that are kept: picked line by line, so that an answer of megabytes takes no time at
once, and read by prometheus_client's parser."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator

MOST_SAMPLES = 200
"""More series than that of the metrics that are kept are left out: nobody reads them in a table."""

_LONGEST_LINE_BYTES = 2_000


class SampleLines:
    """The lines of an answer that hold samples of some names. Give `take` each piece as it comes, then `rest`.

    `is_cut`: there were more than MOST_SAMPLES, or one was too long to be kept.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(name.encode() for name in names)
        self._tail = b""
        self._n = 0
        self.is_cut = False

    def take(self, piece: bytes) -> Iterator[str]:
        """The kept lines that this piece completes."""
        *lines, self._tail = (self._tail + piece).split(b"\n")
        if len(self._tail) > _LONGEST_LINE_BYTES:
            # No line of a metric that is kept: only its beginning is needed to know that it goes on.
            self._tail = self._tail[:_LONGEST_LINE_BYTES] + b"\0"
        return self._kept(lines)

    def rest(self) -> Iterator[str]:
        """The last line, where it has no end."""
        last, self._tail = self._tail, b""
        return self._kept([last])

    def _kept(self, lines: Iterable[bytes]) -> Iterator[str]:
        for line in lines:
            name = line.partition(b"{")[0].partition(b" ")[0]
            if name not in self._names:
                continue
            if self._n >= MOST_SAMPLES or len(line) > _LONGEST_LINE_BYTES:
                self.is_cut = True
                continue
            self._n += 1
            yield line.decode(errors="replace")


def read_sample(line: str) -> tuple[str, float] | None:
    """The series of a line (its name, and its labels in a fixed order) and its value. None for what is none, or whose
    value is no number. The first call imports the parser."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        (family,) = text_string_to_metric_families(line)
        (sample,) = family.samples
    except (ValueError, IndexError):
        return None
    value = float(sample.value)
    if not math.isfinite(value):
        return None
    labels = ",".join(f'{name}="{text}"' for name, text in sorted(sample.labels.items()))
    return (f"{sample.name}{{{labels}}}" if labels else sample.name), value
