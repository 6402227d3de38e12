"""Whether a server seems to speak another dialect than it is spoken to in."""

from __future__ import annotations

from stt_load.metrics.stage import StageFigures


def speaks_another_dialect(ended: int, ok: int, other_dialect: int) -> bool:
    """Whether a server seems to speak another dialect, by how `ended` utterances ended: `ok` of them well, and to
    `other_dialect` the server sent what is another dialect's, or nothing that this one knows."""
    return 0 < ended <= 2 * other_dialect and not ok


def find_other_dialect(figures: StageFigures) -> str | None:
    """What says that the server speaks another dialect, as a clause; None where nothing says so."""
    if not speaks_another_dialect(figures.n, figures.ok, figures.other_dialect):
        return None
    names = " or ".join(figures.other_dialects)
    sent = f"the server seems to speak {names}" if names else "the server sent no message that this dialect knows"
    return f"no utterance came to a good end, and {sent}"
