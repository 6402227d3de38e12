"""Whether the transcripts of a run belong to what was spoken, and if not, what they are instead.

A server that answers every caller with the text of the utterance before is quick, never fails, and has the same WER
under every load, so no objective on latency, errors or `wer_delta` notices. Nothing that was measured with such answers
is about recognition. So the first stage, while the server is quiet, must have at most `WER_LIMIT` of its words wrong.

    more than WER_LIMIT of the words wrong      the transcripts don't fit
    but at most CER_LIMIT of the characters     they do: the same is written with other blanks (Korean, compounds)
    fewer than ENOUGH_WORDS words, or
      ENOUGH_UTTERANCES utterances              the next stage counts too, until there are so many

Two unrelated sentences share a few words, and half of their letters in order: their WER is 90 to 130 %, their CER 60 to
80 %. A recogniser that is bad by its nature (a small model, noise) is above the limit too; who wants to test it says so
with an objective on the WER whose bound is higher.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import LCSseq

from stt_load.metrics.clip_errors import ErrorCount
from stt_load.metrics.foreign import least_shared
from stt_load.metrics.letters import script_of
from stt_load.metrics.normaliser import ENGLISH, Normaliser, Words
from stt_load.metrics.slo import Slo
from stt_load.metrics.stage import StageFigures
from stt_load.records import CallerKey, UtteranceRecord

WER_LIMIT = 0.5
CER_LIMIT = 0.25
ENOUGH_WORDS = 20
ENOUGH_UTTERANCES = 3
_RATES = ("wer", "wer_all", "cer")
_KEPT = 500
_HELD = 0.8  # of the spoken words, to be in the transcript as a whole
_MOST = 0.5  # of the wrong transcripts, to be named as the reason


@dataclass(frozen=True, slots=True)
class Heard:
    """What one caller said, and what it got for it. `is_judged`: it was counted and completed."""

    caller: CallerKey
    started_at: float
    clip_id: str
    reference: str
    text: str
    wer: float | None
    is_judged: bool

    @property
    def is_wrong(self) -> bool:
        return self.is_judged and self.wer is not None and self.wer > WER_LIMIT


@dataclass(slots=True)
class TranscriptSample:
    """The first utterances of a stage, counted or not: enough to see what is wrong with them."""

    heard: list[Heard] = field(default_factory=list)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        for record in records[: _KEPT - len(self.heard)]:
            if record.is_transcribed:
                self.heard.append(
                    Heard(
                        record.caller,
                        record.started_at,
                        record.clip_id,
                        record.reference,
                        record.text,
                        record.wer,
                        record.is_counted and record.is_ok,
                    )
                )


def explain(heard: Iterable[Heard], normaliser: Normaliser = ENGLISH) -> str:
    """What most of the wrong transcripts are instead, as a clause."""
    told = sorted(heard, key=lambda one: one.started_at)
    wrong = [one for one in told if one.is_wrong]
    if not wrong:
        return "nothing is known of them"
    for reason in (_always_the_same, _utterance_before, _other_clips, _more_than_spoken, _other_script):
        found = reason(told, wrong, normaliser)
        if found:
            return found
    return "another language, other texts than were spoken, or a model that does not understand them"


def _always_the_same(told: Sequence[Heard], wrong: Sequence[Heard], normaliser: Normaliser) -> str | None:
    texts = Counter(normaliser.words(one.text) for one in told if one.is_judged)
    (most, n), *_ = texts.most_common(1)
    clips = {one.clip_id for one in told if one.is_judged and normaliser.words(one.text) == most}
    if len(clips) < 2 or n <= _MOST * texts.total():
        return None
    example = next(one.text for one in told if one.is_judged and normaliser.words(one.text) == most)
    return f"{n} of {texts.total()} transcripts are the same text, {example[:60]!r}"


def _utterance_before(told: Sequence[Heard], wrong: Sequence[Heard], normaliser: Normaliser) -> str | None:
    before: dict[CallerKey, Heard] = {}
    found = 0
    for one in told:
        previous = before.get(one.caller)
        if one.is_wrong and previous is not None and previous.reference != one.reference:
            found += _fits(one, previous.reference, normaliser)
        before[one.caller] = one
    return _named(found, wrong, "have the words of the utterance that the same caller spoke before")


def _other_clips(told: Sequence[Heard], wrong: Sequence[Heard], normaliser: Normaliser) -> str | None:
    references = {one.clip_id: one.reference for one in told}
    pairs: dict[str, set[str]] = {}  # a clip, and the clips whose words came for it
    found = 0
    for one in wrong:
        fitting = {clip_id for clip_id, text in references.items() if _fits(one, text, normaliser)} - {one.clip_id}
        found += bool(fitting)
        pairs[one.clip_id] = pairs[one.clip_id] & fitting if one.clip_id in pairs else fitting
    is_fixed = all(pairs.values()) and len(wrong) > len(pairs)
    what = "have the words of another clip"
    return _named(found, wrong, f"{what}, always the same one: clips and texts don't match" if is_fixed else what)


def _more_than_spoken(told: Sequence[Heard], wrong: Sequence[Heard], normaliser: Normaliser) -> str | None:
    found = 0
    for one in wrong:
        words, spoken = normaliser.words(one.text), normaliser.words(one.reference)
        found += len(spoken) > 0 and _shared(words, spoken) >= _HELD * len(spoken)
    return _named(found, wrong, "hold what was spoken, and more besides: repetitions, other text, tags of the model")


def _other_script(told: Sequence[Heard], wrong: Sequence[Heard], normaliser: Normaliser) -> str | None:
    spoken = _script(one.reference for one in wrong)
    found = Counter(script for one in wrong if (script := _script([one.text])) not in (spoken, None))
    if not found or spoken is None:
        return None
    script, n = found.most_common(1)[0]
    return _named(n, wrong, f"are in {script} letters, and the texts in {spoken} ones")


def _named(n: int, wrong: Sequence[Heard], what: str) -> str | None:
    return f"{n} of {len(wrong)} wrong transcripts {what}" if n > _MOST * len(wrong) else None


def _fits(one: Heard, reference: str, normaliser: Normaliser) -> bool:
    """The transcript's words are in the reference, and not in its own."""
    words = normaliser.words(one.text)
    least = least_shared(words, normaliser)
    return _shared(words, normaliser.words(reference)) >= least > _shared(words, normaliser.words(one.reference))


def _shared(words: Words, others: Words) -> int:
    shared: int = LCSseq.similarity(words, others)
    return shared


def _script(texts: Iterable[str]) -> str | None:
    """The script of most letters: Latin, Cyrillic, Hangul, CJK; None without letters."""
    names = Counter(script_of(sign) for text in texts for sign in text if sign.isalpha())
    found = next((name for name, _ in names.most_common(1)), None)
    return found if found in ("CJK", None) else found.capitalize()


def find_misfit(
    stages: Iterable[tuple[StageFigures, TranscriptSample]], slos: Iterable[Slo], normaliser: Normaliser = ENGLISH
) -> str | None:
    """What is wrong with the transcripts of a run, as a clause; None where they fit, or too few came to say.

    `stages`: in the order in which they were run. `slos`: one on the WER that allows more than `WER_LIMIT` is a
    decision to test such a model.
    """
    if any(slo.figure.name in _RATES and slo.bound > WER_LIMIT for slo in slos):
        return None
    words, heard = ErrorCount(), list[Heard]()
    for figures, sample in stages:
        wer = sum(figures.clip_errors.values(), ErrorCount())
        if not words.utterances and not _is_misfit(wer.rate, figures.cer):
            if wer.utterances:
                return None  # the first stage with transcripts decides
            continue
        words += wer
        heard += sample.heard
        if words.length >= ENOUGH_WORDS and words.utterances >= ENOUGH_UTTERANCES:
            break
    else:
        return None
    if not _is_misfit(words.rate, None):
        return None
    first = f"{normaliser.rate} {100 * (words.rate or 0.0):.0f} % in {words.utterances} utterances of the quiet server"
    return f"{first}: {explain(heard, normaliser)}"


def _is_misfit(wer: float | None, cer: float | None) -> bool:
    return wer is not None and wer > WER_LIMIT and (cer is None or cer > CER_LIMIT)
