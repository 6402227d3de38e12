"""Synthetic rows as workers send them: about 1 kB each, 100 clips of twelve words, two final messages, and one text in
ten with an error of its own, so that nobody has heard it before.
"""

from __future__ import annotations

import random

from rapidfuzz.distance import Levenshtein

from stt_load.metrics.normaliser import ENGLISH
from stt_load.records import UtteranceRecord

CLIPS = 100
WRONG = 0.1
_WORDS = """
please send copy last three bills email quick train airport leaves from platform nine moved house april heating still
does not work could you tell me how long repair going take brother would like change date appointment there was loud
noise then every light street went out kitchen window garden table morning doctor water paper river
""".split()  # noqa: SIM905
_LETTERS = "bcdfghjklmnpqrstvwxz"  # no word, and no number, comes of them


def references(clips: int = CLIPS) -> dict[str, str]:
    """Maps clip ids to texts, of words that the normaliser doesn't change."""
    rng = random.Random(1)
    words = [word for word in _WORDS if ENGLISH.words(word) == (word,)]
    return {f"clip-{n:04d}": " ".join(rng.choices(words, k=12)) for n in range(clips)}


def unknown_word(n: int) -> str:
    """A word of six letters, a different one for each n."""
    letters = []
    for _ in range(6):
        n, place = divmod(n, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)


def make_transcript(reference: str, wrong: str | None, rng: random.Random) -> str:
    """The transcript: the reference, or with `wrong` in place of one of its words."""
    words = reference.split()
    if wrong is not None:
        words[rng.randrange(len(words))] = wrong
    return " ".join(words)


def made_row(rng: random.Random, clip: tuple[str, str], text: str, **what: object) -> UtteranceRecord:
    """One completed utterance of 7 s of audio, as its worker measures it.

    `clip` is its id and reference. `what` gives run, worker, user, stage, phase, users and when it started.
    """
    clip_id, reference = clip
    half = len(text) // 2
    eos_s = rng.lognormvariate(-0.9, 0.4)
    return UtteranceRecord(
        **what,  # type: ignore[arg-type]
        clip_id=clip_id,
        reference=reference,
        outcome="ok",
        stream_start_s=rng.uniform(1e5, 2e5),
        eos_latency_s=eos_s,
        stream_end_latency_s=eos_s - 0.6,
        finalise_latency_s=eos_s - 0.55,
        first_partial_s=rng.uniform(0.4, 1.2),
        connect_s=rng.uniform(0.0005, 0.004),
        ready_s=0.0,
        pacing_lag_p99_s=rng.expovariate(1_000),
        pacing_lag_max_s=rng.expovariate(500),
        audio_s=7.0,
        speech_s=rng.uniform(5.5, 6.4),
        duration_s=7.0 + eos_s,
        frames=70,
        text=text,
        messages=[(rng.uniform(3, 5), text[:half]), (6.4 + eos_s, text[half:])],
        stamp="kernel",
        server_ms={"decode": 100 * eos_s, "queue": rng.uniform(0, 20)},
        connection_age_s=rng.uniform(0.0005, 0.004),
        close_code=1000,
    )


def score_by_hand(record: UtteranceRecord) -> None:
    """Scores a row as the master does, but quickly: one word of twelve is wrong, or none."""
    wrong = int(record.text != record.reference)
    characters = Levenshtein.distance(record.reference, record.text)
    record.normaliser = ENGLISH.title
    record.substitutions, record.deletions, record.insertions, record.reference_words = wrong, 0, 0, 12
    record.character_errors, record.reference_characters = characters, len(record.reference)
    record.wer, record.cer, record.foreign_text = wrong / 12, characters / len(record.reference), 0
