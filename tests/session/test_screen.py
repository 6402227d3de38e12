"""What is kept of the text on a caller's screen, and the figures made of it, against servers that are wrong by known
amounts: one caller and forty of one loop, under a fake clock."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
from fakes import FRAME, RATE_HZ, START_S, FakeClock, FakePoller, ScriptedTransport, run_utterance

from stt_load.audio.clip import Clip, ClipWord
from stt_load.credentials import NO_CREDENTIALS, Credentials
from stt_load.dialects.base import Settings
from stt_load.dialects.deepgram import Deepgram
from stt_load.dialects.events import Message, ServerWord
from stt_load.errors import SttLoadError
from stt_load.metrics.figures import FIGURES_BY_NAME
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.screen_scores import score_screen
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.pacing.in_flight import InFlight, Opening
from stt_load.pacing.pacer import Pacer
from stt_load.records import Measured, OnScreen, Utterance, UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.screen import MOST_CHANGES, MOST_CHARACTERS, MOST_WORDS, Screen
from stt_load.session.session import Session

WORDS = tuple(
    ClipWord(text, 0.2 + 0.5 * place, 0.6 + 0.5 * place)
    for place, text in enumerate(["we", "moved", "house", "and", "the", "phone", "is", "dead"])
)
REFERENCE = " ".join(word.text for word in WORDS)
SPEECH_S = WORDS[-1].end_s - WORDS[0].start_s
CLIP = Clip(
    "moved",
    REFERENCE,
    np.resize(np.array([8_000, -8_000], np.int16), round((WORDS[-1].end_s + 0.1) * RATE_HZ)),
    RATE_HZ,
    WORDS[0].start_s,
    WORDS[-1].end_s,
    words=WORDS,
)


@dataclass(frozen=True)
class Wrong:
    """What a server does wrong, by how much. `late_s`: each word is shown so long after it ended; `stale`: the number
    of the word that takes `stale_s` more. `mistaken`: numbers of words that are first shown as another one. `off_s`,
    `drift`: its times of words are so far off, and go wrong by so much for each second. `final_errors`: words of the
    final text that are wrong."""

    late_s: float = 0.3
    stale: int | None = None
    stale_s: float = 0.0
    mistaken: tuple[int, ...] = ()
    off_s: float = 0.0
    drift: float = 0.0
    final_errors: int = 0

    def arrivals(self, audio_before_s: float = 0.0) -> list[tuple[float, Message]]:
        """When each message comes, in seconds after the start of the stream: Deepgram's."""
        said: list[tuple[float, Message]] = []
        shown: list[str] = []
        for place, word in enumerate(WORDS):
            at_s = word.end_s + self.late_s + (self.stale_s if place == self.stale else 0.0)
            if place in self.mistaken:
                said.append((at_s - 0.1, _results([*shown, "wrong"], [], is_final=False)))
            shown.append(word.text)
            said.append((at_s, _results(shown, [], is_final=False)))
        final = [*["wrong"] * self.final_errors, *shown[self.final_errors :]]
        times = [
            (audio_before_s + word.start_s + self.off_s + self.drift * word.start_s, audio_before_s + word.end_s)
            for word in WORDS
        ]
        said.append((said[-1][0] + 0.2, _results(final, times, is_final=True)))
        return said


def _results(words: list[str], times: list[tuple[float, float]], is_final: bool) -> str:
    timed = [
        {"word": word, "start": start_s, "end": end_s} for word, (start_s, end_s) in zip(words, times, strict=False)
    ]
    alternative = {"transcript": " ".join(words), "words": timed}
    body = {
        "type": "Results",
        "is_final": is_final,
        "speech_final": is_final,
        "channel": {"alternatives": [alternative]},
    }
    return json.dumps(body | {"channel_index": [0, 1]})


def played(wrong: Wrong, callers: int, clip: Clip = CLIP) -> list[UtteranceRecord]:
    """The rows of so many callers of one loop, each speaking to a server that is wrong in this way."""
    clock = FakeClock()
    pacer = Pacer(FakePoller(clock), clock)
    all_in_flight, audio = [], encode_clip(clip, FRAME, 1.0, Deepgram(Settings(end="server")))
    for _ in range(callers):
        dialect = Deepgram(Settings(end="server"))
        transport = ScriptedTransport(clock, wrong.arrivals())
        session = Session(dialect, audio, SessionRules(30.0), clock())
        in_flight = InFlight(session, transport)
        in_flight.opening = Opening(START_S + 10.0)
        pacer.add(in_flight)
        all_in_flight.append(in_flight)
    while not all(in_flight.is_done for in_flight in all_in_flight):
        pacer.run_round()
    return [row_of(each.session.measure(clock()), user) for user, each in enumerate(all_in_flight)]


def row_of(measured: Measured, user: int = 0, credentials: Credentials = NO_CREDENTIALS) -> UtteranceRecord:
    utterance = Utterance("run", 0, user, 0, "hold", 40, "moved", REFERENCE)
    return UtteranceRecord.assemble(utterance, measured, 0.0, credentials)


def figures_of(records: list[UtteranceRecord], words: tuple[ClipWord, ...] = WORDS) -> StageFigures:
    """The figures of rows that went to the master as they go there: as JSON."""
    scorer, stats = Scorer({"moved": REFERENCE}, words={"moved": words}), StageStats(0, len(records))
    rows = [UtteranceRecord.from_json(record.to_json()) for record in records]
    for row in rows:
        scorer.fill_scores(row)
        scorer.fill_screen(row)
    stats.add(rows)
    return stats.close()


def value(figures: StageFigures, name: str, statistic: str = "p50") -> float | None:
    figure = FIGURES_BY_NAME[name]
    if not figure.is_distribution:
        measured = figures.measured(figure)
        assert not hasattr(measured, "values")
        return measured
    return figures.distributions[name].statistic(statistic)


@pytest.mark.parametrize("callers", [1, 40])
@pytest.mark.parametrize(
    ("wrong", "measured"),
    [
        (Wrong(late_s=0.3), {"audio_age": 0.3, "audio_age_max": 0.3, "flicker": 0.0, "word_time_error": 0.0}),
        (Wrong(late_s=1.25), {"audio_age": 1.25, "first_partial_age": 1.25}),
        (Wrong(late_s=0.3, stale=7, stale_s=0.9), {"audio_age": 0.3, "audio_age_max": 1.2}),
        (Wrong(mistaken=(0,)), {"first_partial_wer": 1.0, "first_partial_age": None, "flicker": 1 / SPEECH_S}),
        (Wrong(mistaken=(2, 4, 5)), {"first_partial_wer": 0.0, "audio_age": 0.3, "flicker": 3 / SPEECH_S}),
        (Wrong(final_errors=2), {"first_final_wer": 2 / 8, "wer": 2 / 8, "first_partial_wer": 0.0}),
        (Wrong(late_s=0.3), {"first_final_wer": 0.0, "first_final_age": 0.5}),
        (Wrong(off_s=0.12), {"word_time_error": 0.12, "word_time_error_max": 0.12, "word_time_drift": 0.0}),
        (Wrong(off_s=-0.08), {"word_time_error": 0.08}),
        (Wrong(drift=0.05), {"word_time_drift": 0.05 * 3.5, "word_time_error_max": 0.05 * WORDS[-1].start_s}),
        (Wrong(drift=-0.01), {"word_time_drift": 0.01 * 3.5, "word_time_drift_signed": -0.01 * 3.5}),  # 1 % slow
        (Wrong(drift=0.01), {"word_time_drift": 0.01 * 3.5, "word_time_drift_signed": 0.01 * 3.5}),
    ],
)
def test_a_server_that_is_wrong_by_so_much_is_measured_as_that(
    wrong: Wrong, measured: dict[str, float | None], callers: int
) -> None:
    figures = figures_of(played(wrong, callers))
    assert figures.ok == callers
    for name, expected in measured.items():
        assert value(figures, name) == (None if expected is None else pytest.approx(expected, abs=0.0015)), name


def test_without_times_in_the_clip_the_servers_own_give_the_age() -> None:
    """Each word is said to end 0.1 s after it does, so what is shown seems newer by that."""
    screen = OnScreen([(900, 0, "we", 700), (950, 2, "we!", 700), (1_400, 0, "we moved", 1_200)])
    record = UtteranceRecord("run", 0, 0, 0, "hold", 1, "moved", REFERENCE, screen=screen, speech_s=1.0)
    Scorer({"moved": REFERENCE}, words={}).fill_screen(record)
    assert (record.audio_age_s, record.audio_age_max_s) == (0.2, 0.2)
    assert record.word_time_error_s is None


def test_where_nobody_knows_whether_the_clip_has_times_there_is_no_age() -> None:
    (record,) = played(Wrong(mistaken=(1,)), 1)
    Scorer({"moved": REFERENCE}).fill_screen(record)
    assert (record.audio_age_s, record.word_time_error_s, record.first_partial_age_s) == (None, None, None)
    assert record.screen and record.screen.words_taken_back == 1


def test_times_count_from_the_utterance_however_much_audio_the_connection_has_carried() -> None:
    clock, dialect = FakeClock(), Deepgram(Settings(end="server"))
    audio = encode_clip(CLIP, FRAME, 1.0, dialect)
    rows = []
    for number in range(2):
        session = Session(dialect, audio, SessionRules(30.0), clock())
        began_s = clock()
        (session.on_reuse if number else session.on_open)(began_s)
        for at_s, message in Wrong(off_s=0.07).arrivals(audio_before_s=number * audio.audio_s):
            session.on_message(began_s + at_s, message)
        clock.move_to(began_s + 20.0)
        rows.append(row_of(session.measure(clock())))
        Scorer({"moved": REFERENCE}, words={"moved": WORDS}).fill_screen(rows[-1])
    assert [row.word_time_error_s for row in rows] == [pytest.approx(0.07)] * 2


@pytest.mark.parametrize("callers", [1, 40])
def test_a_clock_that_is_slow_is_told_with_its_sign_over_an_utterance_and_over_a_connection(callers: int) -> None:
    """A server whose clock goes 1 % slow from the first sample of the connection on: 0.6 s a minute."""
    rows = []
    for number in range(6):
        of_number = played(Wrong(off_s=-0.01 * 10 * number, drift=-0.01), callers)
        for row in of_number:
            row.connection_age_s, row.connection_utterance = 10.0 * number, number
        rows += of_number
    figures = figures_of(rows)
    assert value(figures, "word_time_drift_signed") == pytest.approx(-0.01 * 3.5, abs=0.0015)
    assert value(figures, "word_time_drift_connection") == pytest.approx(-0.6, abs=0.02)


@pytest.mark.parametrize("per_min", [0.0, 0.12, -0.3])
def test_times_that_go_wrong_with_the_age_of_a_connection_show_as_its_drift(per_min: float) -> None:
    rows = []
    for number in range(20):
        (row,) = played(Wrong(off_s=per_min * number * 10 / 60), 1)
        row.connection_age_s, row.connection_utterance = 10.0 * number, number
        rows.append(row)
    assert value(figures_of(rows), "word_time_drift_connection") == pytest.approx(per_min, abs=0.005)
    assert value(figures_of(rows[:1] * 20), "word_time_drift_connection") is None


# what is kept ----------------------------------------------------------------------------------------------------


def kept(screen: Screen) -> OnScreen:
    found = screen.measure(0.0, 0.0).screen
    assert found is not None
    return found


def test_a_change_is_kept_as_what_is_new_of_it() -> None:
    screen = Screen()
    for at_s, text in [(0.9, "one two"), (1.3, "one two three"), (1.5, "one two three"), (1.8, "one to three, for")]:
        screen.on_partial(at_s, text, (), False)
    assert kept(screen).changes == [
        (900, 0, "one two", 0),
        (1_300, 7, " three", 0),
        (1_800, 5, "o three, for", 0),
    ]
    assert [*kept(screen).texts()] == ["one two", "one two three", "one to three, for"]


def test_final_texts_stay_before_the_interim_one_and_bits_are_put_behind_each_other() -> None:
    screen = Screen()
    screen.on_partial(1.0, "hel", (), True)
    screen.on_partial(1.1, "lo", (), True)
    screen.on_final(1.2, "Hello.", ())
    screen.on_partial(1.5, "and", (), False)
    screen.on_partial(1.6, "an", (), False)
    screen.on_final(1.7, "", ())
    assert [*kept(screen).texts()] == ["hel", "hello", "Hello.", "Hello. and", "Hello. an", "Hello."]


@pytest.mark.parametrize(
    ("interim", "final", "then", "taken_back"),
    [
        ("we moved house last", "We moved", "house last week", 0),  # as Speechmatics: the rest comes a moment later
        ("we moved house last", "We moved", "house lost", 1),
        ("we moved thank you", "We moved.", None, 2),  # the rest was wrong: nothing tells it again
        ("we have twenty five", "We have 25.", "boats", 2),
        ("我们走了", "我们", "走了吧", 0),
    ],
)
def test_a_final_text_takes_back_only_what_no_text_tells_again(
    interim: str, final: str, then: str | None, taken_back: int
) -> None:
    screen = Screen()
    screen.on_partial(1.0, interim, (), False)
    screen.on_final(1.2, final, ())
    if then is not None:
        screen.on_partial(1.21, then, (), False)
    shown = kept(screen)
    score_screen(shown, None)
    assert shown.words_taken_back == taken_back
    assert [*shown.texts()][-1] == (f"{final} {then}" if then else final)


def test_the_whole_text_may_be_told_each_time_with_the_words_so_far() -> None:
    screen, first, second = Screen(), ServerWord("one", 0.25), ServerWord("two", 0.5, 0.75)
    screen.on_cumulative(1.0, "one", (first,))
    screen.on_cumulative(1.5, "one two", (first, second))
    screen.on_cumulative(1.6, "one two.", ())
    assert kept(screen).server_words == [("one", 250, None), ("two", 500, 750)]
    assert [heard_ms for _, _, _, heard_ms in kept(screen).changes] == [250, 750, 0]


def test_a_flood_is_kept_up_to_a_bound() -> None:
    screen, chatter, bits, huge = Screen(), Screen(), Screen(), Screen()
    for number in range(3 * MOST_CHANGES):
        screen.on_partial(0.01 * number, str(number), (), False)
        chatter.on_partial(0.01 * number, f"{number} {'x' * 1_000}", (), False)
        bits.on_partial(0.01 * number, "x" * 1_000, (), True)
        bits.on_final(0.01 * number, "", (ServerWord("x", 0.0),))
    huge.on_partial(0.1, "x" * 1_000_000, (), False)
    assert len(kept(screen).changes) == MOST_CHANGES
    assert huge.measure(0.0, 0.0).screen is None
    assert len(kept(bits).server_words) == MOST_WORDS
    assert len(msgspec.json.encode(kept(chatter))) < 2 * MOST_CHARACTERS


@pytest.mark.parametrize("odd_s", [1.8e9, -1.8e9, 1e300, math.inf, -math.inf, math.nan])
def test_a_time_of_a_word_that_no_audio_has_is_none_and_costs_no_row(odd_s: float) -> None:
    """A server may tell the wall clock. A row with such a number could not be read at the master."""
    screen = Screen()
    screen.on_partial(1.0, "one", (ServerWord("one", odd_s, odd_s),), False)
    screen.on_final(1.2, "one two", (ServerWord("one", odd_s), ServerWord("two", 0.5, odd_s)))
    row = UtteranceRecord.from_json(row_of((screen.measure(0.0, 0.0),)).to_json())
    assert row.screen is not None
    assert row.screen.changes == [(1_000, 0, "one", 0), (1_200, 3, " two", 0)]
    assert row.screen.server_words == [("two", 500, None)]


def test_a_secret_that_comes_piece_by_piece_is_kept_in_no_row() -> None:
    secret, screen = "sk-9f8e7d6c5b4a3210", Screen()
    screen.on_partial(0.5, secret[:8], (), True)
    screen.on_partial(0.6, secret[8:], (), True)
    measured = (screen.measure(0.0, 0.0),)
    assert row_of(measured).screen is not None
    assert row_of(measured, credentials=Credentials(secret)).screen is None


def test_a_row_is_longer_by_some_twenty_bytes_a_word() -> None:
    (row,) = played(Wrong(), 1)
    bare = msgspec.structs.replace(row, screen=None)
    assert row.screen is not None
    per_change = (len(row.to_json()) - len(bare.to_json())) / len(row.screen.changes)
    assert per_change < 50  # the times of the server's words included


ODD_TIMES = (None, -5, 0, 0.3, 1e9, 1e308, math.nan, math.inf, "0.5", True, [])
ODD_TEXTS = (
    "",
    "we",
    "we moved",
    "order we",
    "مرحبا",
    "cafe\u0301",
    "\u200d",
    "<|en|>",
    "205",
    "\ud83d",
    "we we we",
    "\x00",
)


def test_whatever_a_server_tells_its_row_is_read_again_and_scored() -> None:
    """Texts retold and out of order, empty finals, turns that end twice, times that no audio has."""
    for seed in range(60):
        odd, at_s = random.Random(seed), 0.1
        told: list[tuple[float, Message | SttLoadError]] = []
        for _ in range(odd.randint(1, 25)):
            at_s += odd.choice((0.0, 0.01, 0.2, 0.5))
            words: list[str] = [odd.choice(ODD_TEXTS) for _ in range(odd.randint(1, 3))]
            times: list[Any] = [(odd.choice(ODD_TIMES), odd.choice(ODD_TIMES)) for _ in words]
            told.append((at_s, _results(words, times, is_final=odd.random() < 0.4)))
        clock, dialect = FakeClock(), Deepgram(Settings(end="server"))
        session = Session(dialect, encode_clip(CLIP, FRAME, 1.0, dialect), SessionRules(5.0), clock())
        run_utterance(session, ScriptedTransport(clock, told), dialect)
        row = UtteranceRecord.from_json(row_of(session.measure(clock())).to_json())
        scorer = Scorer({"moved": REFERENCE}, words={"moved": WORDS})
        scorer.fill_scores(row)
        scorer.fill_screen(row)
        assert UtteranceRecord.from_json(row.to_json()) == row, seed
