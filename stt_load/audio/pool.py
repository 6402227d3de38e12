"""Chooses the clip that a caller speaks next, so that all callers of a cluster speak different ones at any time.

All workers shuffle the same clips with the same seed; worker w of W then owns the clips at positions
w, w + W, w + 2W, … of that order. No two workers own the same clip, so nobody has to ask anybody.

    order      7  2  9  4  0  5  …
    worker 0   7     9     0          its ring, spoken from the left again and again
    worker 1      2     4     5
"""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Sequence

from stt_load.audio.clip import Clip
from stt_load.errors import ConfigError


class ClipPool:
    """The ring of clips of one worker. Every call takes the same short time, however many callers there are.

    The free clips wait in a queue, the one given back longest ago first: a ring, as long as callers
    finish in the order in which they began.
    """

    def __init__(self, clips: Sequence[Clip], seed: int, worker: int, workers: int) -> None:
        """`worker` counts from 0 to `workers` - 1. Raises ConfigError if there is no clip."""
        if not clips:
            raise ConfigError("no clips to speak: give a folder that holds some")
        if not 0 <= worker < workers:
            raise ValueError(f"worker {worker} of {workers}: the ordinal counts from 0")
        order = list(clips)
        random.Random(seed).shuffle(order)
        # More workers than clips: this one has to share, and says so with every clip it gives out.
        self._is_borrowed = worker >= len(order)
        self._ring: tuple[Clip, ...] = tuple(order[worker::workers]) or (order[worker % len(order)],)
        # Callers by clip id, the clip taken longest ago first. A plain dict finds its first key in O(n) after
        # many deletions.
        self._speakers: OrderedDict[str, int] = OrderedDict()
        self._by_id = {clip.clip_id: clip for clip in self._ring}
        self._free = deque(self._ring)

    def take(self) -> tuple[Clip, bool]:
        """The next clip that nobody speaks, and False; or, if all are being spoken, one of those, and True."""
        if self._free:
            clip = self._free.popleft()
            self._speakers[clip.clip_id] = 1
            return clip, self._is_borrowed
        clip_id = next(iter(self._speakers))
        self._speakers[clip_id] += 1
        self._speakers.move_to_end(clip_id)
        return self._by_id[clip_id], True

    def give_back(self, clip: Clip) -> None:
        """Returns the clip of a caller who has ended. Raises KeyError for a clip that nobody had taken."""
        self._speakers[clip.clip_id] -= 1
        if self._speakers[clip.clip_id] == 0:
            del self._speakers[clip.clip_id]
            self._free.append(clip)

    def restart(self, from_the_end: bool = False) -> None:
        """Goes back to the beginning of the ring. Call it when a stage starts to count.

        Every stage then counts the same clips first, so stages can be compared over the clips they have in common.
        While callers arrive, the ring is spoken `from_the_end`, which leaves its beginning free for what counts. Clips
        that are being spoken join the queue when they are given back.
        """
        ring = reversed(self._ring) if from_the_end else self._ring
        self._free = deque(clip for clip in ring if clip.clip_id not in self._speakers)


def shortage(n_clips: int, users: int, workers: int = 1) -> str | None:
    """A warning if `users` callers, spread evenly over `workers`, can't all speak different clips, else None."""
    fewest_owned = n_clips // workers
    most_callers = -(-users // workers)
    if fewest_owned >= most_callers:
        return None
    spread = f" over {workers} workers" if workers > 1 else ""
    return (
        f"{n_clips} clips for {users} callers{spread}: some will speak the same clip at the same time, so text that "
        "one of them gets from the other can't be told apart, and a server that caches may look faster than it is"
    )
