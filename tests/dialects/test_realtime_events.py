"""What the servers behind /v1/realtime have in common, seen through all of them."""

from __future__ import annotations

import base64
import json

import pytest
from server_actions import actions_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import Dialect, End, Settings
from stt_load.dialects.events import ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import Refusal
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.server_dialect import Abort, SendMessage, ServerDialect, UpgradeRequest

NAMES = ("openai-realtime", "vllm-realtime", "sglang", "riva")
each_of_them = pytest.mark.parametrize("name", NAMES)


def dialect(name: str, end: End = "client", key: str | None = None) -> Dialect:
    return DIALECTS[name].make(Settings(end=end, credentials=Credentials(key)))


def new_server(name: str) -> ServerDialect:
    return SERVER_DIALECTS[name](UpgradeRequest("/v1/realtime", {"intent": "transcription"}))


def error(kind: str, code: str) -> str:
    return json.dumps({"type": "error", "error": {"type": kind, "code": code, "message": "no\n  way"}})


@each_of_them
def test_audio_is_base64_in_an_append(name: str) -> None:
    first = json.loads(str(dialect(name).encode(b"\x01\x02\x03\x04")[0]))
    assert first == {"type": "input_audio_buffer.append", "audio": "AQIDBA=="}
    assert base64.b64decode(first["audio"]) == b"\x01\x02\x03\x04"


@each_of_them
def test_the_key_is_a_bearer_token(name: str) -> None:
    assert dialect(name, key="abc").connect("ws://host/v1/realtime").headers == {"Authorization": "Bearer abc"}


COMMITS = {
    "openai-realtime": (
        (),
        ('{"type": "input_audio_buffer.commit", "event_id": "the end of the utterance"}',),
        0,
    ),
    "vllm-realtime": (
        ('{"type": "input_audio_buffer.commit", "final": false}',),
        ('{"type": "input_audio_buffer.commit", "final": true}',),
        0,
    ),
    "sglang": ((), ('{"type": "transcription.done"}',), 0),
    "riva": ((), ('{"type": "input_audio_buffer.done"}',), 1),
}


@each_of_them
def test_commit_means_to_each_of_them_what_it_means_to_its_server(name: str) -> None:
    """Where each of them commits: before the audio, at its end, and how often in every frame."""
    client = dialect(name)
    begun, frame, ended = client.begin(None), client.encode(b"\0\0"), client.finalise()  # type: ignore[arg-type]
    n_in_frame = sum("commit" in str(message) for message in frame)
    assert (tuple(begun), tuple(ended), n_in_frame) == COMMITS[name]


# vLLM has no answer to session.update: what it refuses, it names by a code.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "vllm-realtime"])
def test_an_error_before_the_session_is_set_refuses_what_was_asked(name: str) -> None:
    assert dialect(name).on_message(error("invalid_request_error", "invalid_value")) == (
        ServerError("no way (invalid_value)", Refusal.PARAMETERS),
    )
    assert dialect(name).on_message(error("server_error", "died")) == (ServerError("no way (died)"),)


@each_of_them
@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("invalid_api_key", Refusal.AUTH),
        ("insufficient_quota", Refusal.CAPACITY),
        ("rate_limit_exceeded", Refusal.CAPACITY),
        ("too_many_sessions", Refusal.CAPACITY),
        ("model_not_found", Refusal.PARAMETERS),
    ],
)
def test_some_codes_are_a_refusal_at_any_time(name: str, code: str, refusal: Refusal) -> None:
    client = dialect(name)
    greet(client, new_server(name))
    assert client.on_message(error("invalid_request_error", code)) == (ServerError(f"no way ({code})", refusal),)
    assert client.on_message(error("rate_limit_exceeded", "other")) == (
        ServerError("no way (other)", Refusal.CAPACITY),
    )


@each_of_them
def test_an_error_of_the_server_itself_ends_an_utterance(name: str) -> None:
    client = dialect(name)
    greet(client, new_server(name))
    assert client.on_message(error("server_error", "other")) == (ServerError("no way (other)"),)


def greet(client: Dialect, server: ServerDialect) -> None:
    """Opens the session as far as the client then takes it for set up."""
    first = client.connect("ws://host/v1/realtime").first_messages
    for action in [*server.on_open(), *actions_of(server, *first)]:
        if isinstance(action, SendMessage):
            client.on_message(action.message)


@each_of_them
@pytest.mark.parametrize("message", ["hello", "[]", '{"type": "response.create"}', '{"audio": "AA=="}'])
def test_a_voice_answers_what_it_does_not_know_with_an_error(name: str, message: str) -> None:
    (said,) = actions_of(new_server(name), message)
    assert isinstance(said, SendMessage)
    assert isinstance(dialect(name).on_message(said.message)[0], ServerError)


@each_of_them
@pytest.mark.parametrize("audio", ["AAA", "AAAA", None])
def test_a_voice_takes_no_half_samples_and_no_broken_base64(name: str, audio: str | None) -> None:
    (said,) = actions_of(new_server(name), json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
    assert isinstance(said, SendMessage)
    assert isinstance(dialect(name).on_message(said.message)[0], ServerError)


@each_of_them
def test_binary_frames_are_no_audio(name: str) -> None:
    (done,) = actions_of(new_server(name), bytes(3_200))
    if name == "vllm-realtime":
        assert done == Abort()
    else:
        assert isinstance(done, SendMessage)
