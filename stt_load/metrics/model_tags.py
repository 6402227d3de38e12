"""Tags of the model: tokens that a recogniser prints into its text, and nobody said.

    shape                            printed by
    <|zh|> <|NEUTRAL|> <|0.00|>      Whisper, SenseVoice (behind FunASR), Canary, Qwen: any token between <| and |>
    language English<asr_text>       Qwen3-ASR: the language that it heard stands before the text
    <unk> <s> </s> <pad> <blank>     token tables of CTC and transducer models (NeMo, icefall, ESPnet, wav2vec 2.0)
    <EOU> <EOB>                      NVIDIA's models that find the end of an utterance, or of a backchannel
    <en-US>                          multilingual streaming models of NVIDIA: the language of what stands before it
    <zh><CN><asr> <0.00>             Dolphin and OWSM: language, region and task, and times
    [BLANK_AUDIO] [_BEG_] [_TT_50]   whisper.cpp
    [unk]                            Vosk with a grammar

Nothing else is taken out: what is said of "<" or "[" stays a matter of the normaliser. An unknown word (`<unk>`) that
is dropped is still an error, a deletion, wherever a word was said.
"""

from __future__ import annotations

import re

_TAG = re.compile(
    r"""
      <\s?\|[^<>|]{1,40}\|\s?>
    | (?:\blanguage\s+[a-z]+(?:[\s,_-]+[a-z]+){0,3}\s*)?</?asr_text>
    | <(?:unk|/?s|pad|blank|blk|eps|sos/eos|sos|eos|eou|eob)>
    | <[a-z]{2,3}-[a-z]{2}>
    | (?:<[a-z]{2,5}>)+<asr>(?:<notimestamps?>)?
    | <\d{1,3}\.\d\d>
    | \[\s?(?:blank_audio|unk|_beg_|_tt_\d+)\s?\]
    """,
    re.IGNORECASE | re.VERBOSE,
)


def has_model_tags(text: str) -> bool:
    """A model printed one of its tags into this text."""
    return ("<" in text or "[" in text) and _TAG.search(text) is not None


def says_something(text: str) -> bool:
    """There is more in the text than blanks and tags: SenseVoice answers silence with <|nospeech|> and nothing else."""
    return bool(without_model_tags(text).strip())


def without_model_tags(text: str) -> str:
    """The text with a blank in place of each tag."""
    return _TAG.sub(" ", text) if "<" in text or "[" in text else text
