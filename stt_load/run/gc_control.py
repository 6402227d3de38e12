"""When the garbage collector looks at objects: while callers speak, only at those of the last few utterances.

Python looks through all objects again whenever they have grown by a quarter. With 5,000 callers that takes 50 to 140
ms, in which no frame is sent and no answer read: that is left for the time between stages, while nobody speaks.

It looks through the young ones when 700 more were made than freed since the last time. Callers in their steady state
free as many as they make, of the utterance before, so that the young ones grow to a hundred thousand, unseen: then 10
to 85 ms are gone, in mid-speech. So they are collected every few utterances, which takes half a millisecond, and the
rest is frozen.

What was frozen and is then garbage in a reference cycle waits for the next stage. The cycle that a fault makes (an
exception and the frames that it names) is young when it becomes garbage; all else is freed at once, as ever.
"""

from __future__ import annotations

import gc

CALLERS_AT_ONCE = 200
"""After so many new callers, what they keep is frozen."""

UTTERANCES_AT_ONCE = 32
"""After so many ended utterances, what they left is collected."""


def freeze() -> None:
    """Takes everything there is out of the collector's sight until the next `collect_all`. Takes no time."""
    gc.freeze()


def collect_young() -> None:
    """Collects what is young, and freezes the rest."""
    gc.collect(0)
    gc.freeze()


def collect_all() -> None:
    """Collects everything, the frozen too, and freezes what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
