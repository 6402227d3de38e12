"""Foreign text: messages to one caller that carry another caller's speech.

Servers that keep results in one queue for all sessions hand them to whoever reads first. The caller that
gets four texts may well find its own words among them, so a joined transcript hides the fault. Each message
is judged alone.

How well a message fits a clip is the share of the message's words that appear in the clip's reference in
the same order (longest common subsequence of normalised words). A message may be one piece of its clip, so
the share is taken of the message and not of the reference.

    fits its own clip by OWN_FIT or more    its own, whatever else it fits (the usual case: one comparison)
    shares MIN_WORDS words or more (MIN_CHARACTERS
      where they are counted) with
      another clip in flight, fits it by
      OTHER_FIT or more, and MARGIN better
      than its own                          foreign
    fits a clip that its own caller spoke
      before, by the same rule                late: the server's answer to an earlier utterance
    anything else                           a bad transcript, for WER to count

Chance alone gives unrelated English sentences a fit of 0.1 to 0.4 (the, to, a), and a recognition error
rate of 30 % leaves a fit of about 0.7 to the own clip: the limits stand between those two. On the shipped
clip texts, 1,140 random pairs at each error rate: none of the own messages is called foreign at 0 to 70 %
errors; of the foreign ones 2 % are missed at 0 to 20 %, 6 % at 30 %. Sentences that differ in a word or two
can't be told apart, and are never called foreign.

Without blanks between words, characters are compared. By chance two Chinese or Japanese sentences share 12 to 18 % of
them in order, and every 20th piece of a sentence half; six that agree are not chance (none of 18,000 random pieces).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol

from rapidfuzz.distance import LCSseq

from stt_load.metrics.normaliser import ENGLISH, Normaliser, Words

MIN_WORDS = 3
MIN_CHARACTERS = 6
OWN_FIT = 0.6
OTHER_FIT = 0.6
MARGIN = 0.3
OWN_LAST = 3
"""How many utterances before this one are the first that a message which doesn't fit it is looked for in."""


class Origin(StrEnum):
    """Whose words a message has that does not fit its utterance: the field of the record that counts it."""

    OTHERS = "foreign_text"
    OWN = "late_text"


class ClipsAround(Protocol):
    """What was spoken around the end of one utterance, so that its words could have reached the caller."""

    def was_just_spoken(self, clip_id: str) -> bool:
        """The same caller spoke it in one of its `OWN_LAST` utterances before this one."""
        ...

    def is_of_others(self, clip_id: str) -> bool:
        """Another caller speaks it, or spoke it not long ago."""
        ...

    def was_own(self, clip_id: str) -> bool:
        """The same caller spoke it not long ago."""
        ...


def origin_of(clip_ids: Collection[str], around: ClipsAround) -> Origin | None:
    """Whose words a message has that fits these clips; None where nobody spoke them.

    With few clips every caller has spoken each of them before, so only the utterances just before come ahead of other
    callers: a server that mixes up callers hits one of them by chance alone.
    """
    if any(map(around.was_just_spoken, clip_ids)):
        return Origin.OWN
    if any(map(around.is_of_others, clip_ids)):
        return Origin.OTHERS
    return Origin.OWN if any(map(around.was_own, clip_ids)) else None


def least_shared(words: Words, normaliser: Normaliser) -> float:
    """How many of its words a text must share with a clip to fit it: fewer are chance."""
    return max(MIN_WORDS if normaliser.joint else MIN_CHARACTERS, OTHER_FIT * len(words))


def fits_own(message: str, own_reference: str, normaliser: Normaliser = ENGLISH) -> bool:
    """The message fits its own caller's clip, whatever else it may fit."""
    words = normaliser.words(message)
    return LCSseq.similarity(words, normaliser.words(own_reference)) >= OWN_FIT * len(words)


def clips_fitted(
    message: str, own_reference: str, spoken: Mapping[str, Words], normaliser: Normaliser = ENGLISH
) -> frozenset[str]:
    """The other clips that a message fits, if it does not fit its own. It is foreign if one of them was in flight.

    `message`: a final text. `own_reference`: what its caller spoke. `spoken`: clip id → the normalised words of its
    reference; the own clip among them is harmless. A foreign message costs 0.3 µs a clip beyond its normalisation.
    """
    if fits_own(message, own_reference, normaliser):
        return frozenset()
    words = normaliser.words(message)
    shared_with_own = LCSseq.similarity(words, normaliser.words(own_reference))
    least, margin = least_shared(words, normaliser), MARGIN * len(words)
    shared = {clip_id: LCSseq.similarity(words, other) for clip_id, other in spoken.items()}
    return frozenset(clip_id for clip_id, n in shared.items() if n >= least and n - shared_with_own >= margin)
