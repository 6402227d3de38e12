"""Servers that are on time and servers that are behind, by more than any quiet period: of every dialect and end, no
utterance is over before its last words are there, and the EOS clock stops when they come."""

from __future__ import annotations

import math

import pytest
from virtual_time import VirtualCaller, sounds

from stt_load.dialects.base import End, Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.row import DialectRow
from stt_load.errors import Outcome
from stt_load.server.dialects import SERVER_DIALECTS

SPEECH = {
    "without a pause": ((0.3, 1.23),),
    "with a pause": ((0.3, 1.0), (2.5, 3.23)),
    "with a long rest": ((0.3, 0.8), (2.6, 9.03)),
}
DELAYS_S = (0.05, 3.0, 8.0)

# How long a text that is there may wait until the server tells it, where it isn't told at once.
TOLD_LATER_S = {
    "funasr-realtime": 0.96 + 0.1,  # with the next result
    "whisperlive": 0.1,  # with the next pass
    "kyutai": 0.5 + 0.08,  # so far behind the audio, step by step
}
# There is no end message that the recogniser waits for: words come of silence, whoever ends the utterance.
ENDS_BY_SILENCE = {"kyutai"}

ROWS = [row for row in DIALECTS.values() if row.name in SERVER_DIALECTS]  # a dialect needs no stand-in
ENDS = [(row, end) for row in ROWS for end in row.capabilities.ends]


@pytest.mark.parametrize("delay_s", DELAYS_S)
@pytest.mark.parametrize("spans_s", SPEECH.values(), ids=SPEECH.keys())
@pytest.mark.parametrize(("row", "end"), ENDS, ids=[f"{row.name}-{end}" for row, end in ENDS])
def test_every_piece_is_waited_for_and_the_last_words_stop_the_clock(
    row: DialectRow, end: End, spans_s: tuple[tuple[float, float], ...], delay_s: float
) -> None:
    dialect = row.make(Settings(end=end))
    able = dialect.capabilities
    caller = VirtualCaller(dialect, SERVER_DIALECTS[row.name], delay_s, utterances=2)
    recogniser, clip = caller.connection.recogniser, sounds(able.sample_rate_hz, *spans_s)
    speech_s, frame_s = sum(end_s - start_s for start_s, end_s in spans_s), caller.encoded(clip).rule.frame_s
    for n_before in range(2 if able.many_utterances else 1):
        assert caller.caller_connection.prepare_reuse() == (n_before > 0)
        n_told = len(recogniser.texts)
        record = caller.speak(clip)
        words = record.text.lower().replace(".", "")
        assert (record.outcome, record.error, words) == (Outcome.OK, None, " ".join(recogniser.texts[n_told:]))
        assert recogniser.heard_s >= (n_before + 1) * speech_s - 0.1
        assert record.duration_s is not None
        assert record.eos_latency_s is not None
        began_s = caller.connection.clock() - record.duration_s
        told_s = recogniser.last_told_at_s - began_s - clip.speech_end_s
        assert -1e-6 <= record.eos_latency_s - told_s <= TOLD_LATER_S.get(row.name, 0.0) + 1e-6
        if end == "client" and row.name not in ENDS_BY_SILENCE:
            rest_s = math.ceil(clip.speech_end_s / frame_s) * frame_s - clip.speech_end_s
            assert record.eos_latency_s == pytest.approx(delay_s + rest_s)
