"""Servers whose patience is known, on a clock that only moves when somebody waits: what is measured is what was set."""

from __future__ import annotations

import pytest
from fakes import FakeClock, ScriptedTransport, record_of, speak
from recorded import read_all
from servers.known_words import texts_by_sound
from servers.script import sound_key
from virtual_time import CountingRecogniser, Timetable, VirtualCaller, sounds

from stt_load.audio.clip import Clip
from stt_load.audio.derived import derive
from stt_load.audio.paused import Paused
from stt_load.audio.texts import english_set
from stt_load.clips.library import clips_from_tts
from stt_load.dialects.base import Dialect, Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.metrics.normaliser import ENGLISH
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.stage import StageStats
from stt_load.records import UtteranceRecord
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.session.actions import SessionRules
from stt_load.tts.engines import voice_of

PAUSES_S = (0.3, 0.6, 1.0, 1.5)
# The stand-ins hear silence in windows of 32 ms, callers send frames of about 100 ms, and the weakest last sounds of
# these clips are below what the stand-ins take for speech.
LATEST_S = 0.032 + 0.1
EARLIEST_S = -0.1


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    texts = dict(list(english_set().items())[:1])
    return clips_from_tts(voice_of("espeak"), texts, 16_000, cache=tmp_path_factory.mktemp("spoken")).clips[0]


class KnowingRecogniser(CountingRecogniser):
    """Knows the words of each segment by its sound. `cut_at_s`: the clock when each was cut."""

    def __init__(self, timetable: Timetable, words: dict[str, str], delay_s: float = 0.2) -> None:
        super().__init__(timetable, delay_s)
        self._words = words
        self._clock = timetable.clock
        self.cut_at_s: list[float] = []

    def submit(self, pcm: bytes) -> object:
        self.cut_at_s.append(self._clock())
        result = super().submit(pcm)
        self.texts[-1] = self._words[sound_key(pcm)]
        result._decoded = type(result._decoded)(self.texts[-1], 0.0, 0.0)
        return result


def spoken_to(dialect: Dialect, patience_s: float, clip: Clip, n_lost: int = 0) -> tuple[UtteranceRecord, list[float]]:
    """What became of an utterance to a server that ends a turn after so much silence, and when it cut it, in seconds
    after the start of the stream."""
    name = next(name for name, row in DIALECTS.items() if isinstance(dialect, row.dialect))
    server = type("Patient", (SERVER_DIALECTS[name],), {"endpoint_s": patience_s})
    caller = VirtualCaller(dialect, server, 0.0)
    heard = KnowingRecogniser(caller.connection.timetable, texts_by_sound([clip], n_lost))
    caller.connection.recogniser = heard
    record = caller.speak(clip)
    record.reference, record.clip_id = clip.reference, clip.clip_id
    Scorer({}, ENGLISH, {clip.clip_id: clip.words}).fill_scores(record)
    assert record.stream_start_s is not None
    return record, [at_s - record.stream_start_s for at_s in heard.cut_at_s]


def parakeet() -> Dialect:
    return DIALECTS["parakeet"].make(Settings())


@pytest.mark.parametrize("pause_s", [None, *PAUSES_S])
@pytest.mark.parametrize("patience_s", [0.45, 0.8])
def test_a_turn_is_cut_in_a_pause_that_is_longer_than_the_servers_patience(
    clean: Clip, patience_s: float, pause_s: float | None
) -> None:
    (clip,) = derive([clean], () if pause_s is None else (Paused(pause_s),))
    record, cut_at_s = spoken_to(parakeet(), patience_s, clip)
    is_cut = pause_s is not None and pause_s > patience_s
    assert (record.outcome, record.word_errors, record.text.lower()) == ("ok", 0, clip.reference.lower())
    assert (record.cut_early, record.turns, record.words_lost_at_cut) == (is_cut, 1 + is_cut, 0)
    assert [at_s for at_s, _ in record.turn_ends or ()] == pytest.approx(cut_at_s)
    assert record.endpointing_delay_s == pytest.approx(cut_at_s[-1] - clip.speech_end_s)
    assert patience_s + EARLIEST_S <= record.endpointing_delay_s <= patience_s + LATEST_S


@pytest.mark.parametrize("pause_s", [0.6, 1.5])
@pytest.mark.parametrize("n_lost", [0, 1, 2])
def test_as_many_words_are_lost_at_a_cut_as_the_server_leaves_out(clean: Clip, n_lost: int, pause_s: float) -> None:
    (clip,) = derive([clean], (Paused(pause_s),))
    record, _ = spoken_to(parakeet(), 0.45, clip, n_lost)
    assert (record.cut_early, record.deletions, record.words_lost_at_cut) == (True, n_lost, n_lost)


TELLERS = [
    name
    for name, row in DIALECTS.items()
    if name in SERVER_DIALECTS
    and "server" in row.capabilities.ends
    and row.make(Settings(end="server")).capabilities.turn_events
]


@pytest.mark.parametrize("name", TELLERS)
def test_a_stand_in_that_cuts_in_a_long_pause_is_seen_to_do_so(name: str) -> None:
    dialect = DIALECTS[name].make(Settings(end="server"))
    clip = sounds(dialect.capabilities.sample_rate_hz, (0.2, 1.6), (5.1, 6.6))
    caller = VirtualCaller(dialect, SERVER_DIALECTS[name], 0.1)
    record = caller.speak(clip)
    record.reference = "piece one piece two"
    Scorer({}, ENGLISH).fill_scores(record)
    assert (record.outcome, record.text.lower()) == ("ok", record.reference)
    assert (record.cut_early, record.turns) == (True, 2)
    assert record.endpointing_delay_s is not None
    first_s, last_s = record.turn_ends[0][0], record.turn_ends[-1][0]
    assert 1.6 < first_s < 5.1 < 6.6 < last_s


def test_eager_ends_of_a_documented_conversation_are_counted_and_so_is_the_one_that_was_taken_back() -> None:
    (talk,) = [talk for talk in read_all() if (talk.dialect, talk.name) == ("deepgram-flux", "eager")]
    row = DIALECTS[talk.dialect]
    dialect = row.make(Settings(row.parse_options(talk.head["options"]), "server"))
    spoken = speak(dialect, SessionRules(timeout_s=5.0), ScriptedTransport(FakeClock(), talk.arrivals))
    record = record_of(*spoken.session.measure(spoken.clock()), reference=talk.head["transcript"])
    Scorer({}, ENGLISH).fill_scores(record)
    assert (record.eager_turn_ends, record.turns_resumed) == ([0.4, 0.8], 1)
    stats = StageStats(0, 1)
    stats.add([record])
    figures = stats.close()
    assert (figures.eager_end_rate, figures.resumed, figures.cut_early_rate) == (1.0, 1, 0.0)
