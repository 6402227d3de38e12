"""RealtimeSTT: packets that are numbered from 0 in every utterance, and refusals after the upgrade."""

from __future__ import annotations

import json
import struct

import pytest
from fakes import one_second

from stt_load.dialects.base import Settings
from stt_load.dialects.events import Partial, ServerError
from stt_load.dialects.realtimestt import RealtimeStt
from stt_load.errors import Refusal


def unpacked(packet: object) -> tuple[dict[str, object], bytes]:
    """The metadata and the samples, cut as `decode_audio_packet` of the server cuts them."""
    assert isinstance(packet, bytes)
    (n_bytes,) = struct.unpack("<I", packet[:4])
    return json.loads(packet[4 : 4 + n_bytes]), packet[4 + n_bytes :]


def test_the_packets_of_an_utterance_are_counted_silence_too() -> None:
    audio = one_second(RealtimeStt(Settings(end="client")))
    packets = [unpacked(message.message) for frame in audio.frames for message in frame]
    assert [metadata["audioSequence"] for metadata, _ in packets] == list(range(10))
    assert {metadata["frames"] for metadata, _ in packets} == {1_600}
    assert b"".join(pcm for _, pcm in packets) == audio.clip.samples.tobytes().ljust(32_000, b"\0")
    assert packets[0][0] == {
        "sampleRate": 16_000,
        "channels": 1,
        "format": "pcm_s16le",
        "frames": 1_600,
        "audioSequence": 0,
    }


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("unauthorized", Refusal.AUTH),
        ("session_limit", Refusal.CAPACITY),
        ("unsupported_language", Refusal.PARAMETERS),
        ("backpressure", None),
    ],
)
def test_an_error_is_a_refusal_by_its_code(code: str, refusal: Refusal | None) -> None:
    message = json.dumps({"type": "error", "code": code, "message": "no", "error": {"code": code, "message": "no"}})
    assert RealtimeStt().on_message(message) == (ServerError(f"no ({code})", refusal),)


def test_what_two_models_have_heard_together_is_on_the_screen() -> None:
    """`text` is what the slower one has: shown, it would take words back that stay."""
    told = {"accurateText": "turn on", "ultrafastText": "turn on the light", "mergedText": "turn on the light"}
    slow, fast = {"type": "partial", "text": "turn on"}, {"type": "ultrafast", "text": "turn on the light"}
    shown = [RealtimeStt().on_message(json.dumps(kind | told)) for kind in (slow, fast)]
    assert shown == [(Partial("turn on the light"),)] * 2
