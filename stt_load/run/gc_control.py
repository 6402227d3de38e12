"""When the garbage collector looks at objects: while callers speak at those of the last few utterances alone.

Python looks through all objects again whenever they have grown by a quarter. With 5,000 callers that takes 50 to 140
ms, in which no frame is sent and no answer read: that is left for the time between stages, while nobody speaks.

It looks through the young ones when 700 more were made than freed since the last time. Callers in their steady state
free as many as they make, of the utterance before, so that the young ones grow to a hundred thousand, unseen: then 10
to 85 ms are gone, in mid-speech. So they are looked at every few utterances, which takes half a millisecond, and set
aside.

What was set aside and is then garbage in a ring waits for the next stage. The ring that a fault makes (an exception and
the frames that it names) is young when it becomes garbage; all else is freed at once, as ever.
"""

from __future__ import annotations

import gc

CALLERS_AT_ONCE = 200
"""So many arrive, and what they keep is set aside."""

UTTERANCES_AT_ONCE = 32
"""So many end, and what they have left is tidied up."""


def freeze() -> None:
    """What is there now is not looked through until the next sweep. Takes no time."""
    gc.freeze()


def collect_young() -> None:
    """Looks through what is young, and sets it aside."""
    gc.collect(0)
    gc.freeze()


def collect_all() -> None:
    """Looks through everything, and sets it aside."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
