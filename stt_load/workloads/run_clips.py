"""The clips of a run, and for callers who stream, the frames into which their server needs them cut."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial

import gevent

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule, choose_frame
from stt_load.audio.texts import english_set
from stt_load.clips.derived_clips import derived_clips
from stt_load.clips.doubts import strict_problems
from stt_load.clips.folder import ClipSet, load_folder
from stt_load.clips.library import clips_from_tts, default_clips
from stt_load.config import RunConfig
from stt_load.credentials import NO_CREDENTIALS, TTS_KEY_VARIABLE, Credentials
from stt_load.dialects.base import Dialect, Settings
from stt_load.errors import ConfigError
from stt_load.kinds import CONVERSATIONS
from stt_load.option_rules import server_row
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.tts.engines import voice_of
from stt_load.workloads.clip_progress import tell_encoded, tell_read, tell_rendered

_CLOSE_S = 2.0  # more than an utterance may spend beside all of its waits


def dialects_of(config: RunConfig, credentials: Credentials = NO_CREDENTIALS) -> Callable[[], Dialect]:
    """Makes the dialect of this run, a fresh one for each connection."""
    return partial(
        server_row(config.dialect).make,
        Settings(config.dialect_options, config.end, credentials, config.native_codec),
    )


def dialect_of(config: RunConfig, credentials: Credentials = NO_CREDENTIALS) -> Dialect:
    """The dialect of this run, for one connection."""
    return dialects_of(config, credentials)()


def choose_clips(config: RunConfig) -> ClipSet:
    """The clips of this run, as its kind of load needs them.

    ConfigError where there are none, or, where that is refused, a line for each whose end of speech is uncertain.
    """
    clips: ClipSet = config.kind.workload_class().choose_clips(config)
    if config.has_strict_bounds and clips.doubts:
        raise ConfigError(strict_problems(clips))
    return clips


def load_clips(config: RunConfig, rate_hz: int) -> ClipSet:
    """The clips of this run as audio of `rate_hz`, as its callers speak them. ConfigError where there are none."""
    return derived_clips(_clean_clips(config, rate_hz), config, rate_hz, tell_encoded)


def _clean_clips(config: RunConfig, rate_hz: int) -> ClipSet:
    """A folder, texts spoken by a TTS server, or the shipped texts spoken by espeak."""
    if config.clips:
        return load_folder(config.clips, rate_hz, tell_read)
    if config.tts_url:
        engine = "openai" if "/audio/speech" in config.tts_url else "chatterbox"
        key = os.environ.get(TTS_KEY_VARIABLE)
        return clips_from_tts(voice_of(engine, config.tts_url), english_set(), rate_hz, tell_rendered, api_key=key)
    return default_clips(rate_hz, tell_rendered)


def frame_rule(config: RunConfig) -> FrameRule:
    """The frames that this run's server takes whole."""
    capabilities = dialect_of(config).capabilities
    return choose_frame(config.frame_ms, capabilities.sample_rate_hz, capabilities.frame_multiple_bytes)


def encode_clips(config: RunConfig, clips: Sequence[Clip]) -> dict[str, EncodedClip]:
    """Every clip cut and encoded once, by clip id.

    A thousand take a second or two, so other greenlets have their turn between them: the master waits for heartbeats.
    """
    rule, dialect = frame_rule(config), dialect_of(config)
    encoded = {}
    for clip in clips:
        encoded[clip.clip_id] = encode_clip(clip, rule, config.trailing_silence_s, dialect)
        gevent.sleep(0)
    return encoded


def utterance_limit_s(config: RunConfig, clips: Sequence[Clip]) -> float:
    """What no utterance lasts longer than: connecting, getting ready, the longest clip, its silence, the timeout, and
    where an answer is listened to, the timeout for that."""
    longest_s = max(clip.duration_s for clip in clips)
    has_ready = config.kind.is_paced and dialect_of(config).capabilities.has_ready
    ready_s = config.ready_limit_s if has_ready else 0.0
    waits_s = config.timeout_s * (2 if config.kind in CONVERSATIONS else 1)
    return config.connect_limit_s + ready_s + _CLOSE_S + longest_s + config.trailing_silence_s + waits_s
