"""What is said of clips whose bounds of speech may be wrong."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.audio.bounds_doubts import Doubt
from stt_load.clips.folder import ClipSet
from stt_load.clips.wording import first_few


def words_of(doubts: Sequence[Doubt]) -> str:
    """The doubts of one clip as people read them."""
    return ", ".join(doubt.words for doubt in doubts)


def bounds_note(clips: ClipSet) -> str | None:
    """One line that names the clips whose end of speech is uncertain, and why; None where all are sure."""
    doubted = [f"{clip_id} ({words_of(doubts)})" for clip_id, doubts in clips.doubts.items()]
    if not doubted:
        return None
    return (
        f"where speech ends is uncertain in {len(doubted)} of {len(clips.clips)} clips: {first_few(doubted)}; EOS may "
        "be off by tenths of a second in them. `stt-load clips show --bounds` draws them, and `speech_end_s` in "
        "clips.jsonl decides instead"
    )


def strict_problems(clips: ClipSet) -> list[str]:
    """One line for each clip whose bounds are uncertain, for a run that takes no such clip."""
    return [
        f"--strict-bounds: clip {clip_id}: {words_of(doubts)}: leave it out, or give its `speech_end_s` in clips.jsonl"
        for clip_id, doubts in clips.doubts.items()
    ]
