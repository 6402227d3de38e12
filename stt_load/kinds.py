"""The kinds of load: what a caller does with a clip. One row each, and one file in `workloads` that the row names.

Everything that differs by kind is a field here, or a method of the kind's workload class. A run is of one kind: figures
of different kinds don't go into one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stt_load.carriers import CARRIERS, TCP, WEBSOCKET, imported
from stt_load.credentials import API_KEY_VARIABLE, TTS_KEY_VARIABLE
from stt_load.option_values import HTTP_SCHEMES


@dataclass(frozen=True, slots=True)
class LoadKind:
    """One kind of load. Its `name` is what records and `run.json` call it.

    `title`: heads its servers in `stt-load dialects`. `subtitle`: stands over its tables where its figures must not be
    laid beside those of callers who speak. `caller`, `callers`: what its concurrency counts. `headline`: the record's
    field with the one time that it is about. `is_paced`: audio is sent in frames, each due at its moment, over a
    connection that may carry several utterances; otherwise an utterance is one whole request. `is_transcribed`: its
    answer is a transcript, to be held against the reference. `is_synthesised`: its answer is speech. `request_name`:
    heads the names of its rows in Locust's own tables. `url_schemes`: what the server's URL may begin with, where no
    row of its servers knows better. `key_variable`: the environment variable with the API key.

    `dialects` and `workload` are written `module:name` and imported when they are asked for, because they lie in rooms
    above this one.
    """

    name: str
    title: str
    subtitle: str | None
    caller: str
    callers: str
    headline: str
    is_paced: bool
    is_transcribed: bool
    is_synthesised: bool
    default_slos: tuple[str, ...]
    request_name: str
    url_schemes: tuple[str, ...]
    key_variable: str
    dialects: str
    workload: str

    def dialect_rows(self) -> Mapping[str, Any]:
        """The servers of this kind, by the name that `--dialect` takes: rows with `name`, `summary`, `default_url`,
        `options`, `parse_options`, `takes_key`, `facts` and `unconfirmed`."""
        rows: Mapping[str, Any] = imported(self.dialects)
        return rows

    def workload_class(self) -> Any:
        """The class in `workloads` that plays this kind's callers: a `workloads.workload.Workload`."""
        return imported(self.workload)


STREAM = LoadKind(
    name="stream",
    title="streams, at the pace of a microphone",
    subtitle=None,
    caller="caller",
    callers="callers",
    headline="eos_latency_s",
    is_paced=True,
    is_transcribed=True,
    is_synthesised=False,
    default_slos=("eos_latency:p95<1s", "error_rate<1%", "wer_delta<5%"),
    request_name="EOS",
    url_schemes=tuple(dict.fromkeys(scheme for carrier in CARRIERS.values() for scheme in carrier.schemes)),
    key_variable=API_KEY_VARIABLE,
    dialects="stt_load.dialects.registry:DIALECTS",
    workload="stt_load.workloads.stream:StreamWorkload",
)
UPLOAD = LoadKind(
    name="upload",
    title="uploads, whole files over HTTP",
    subtitle="uploads: whole files, not microphone pace",
    caller="concurrent request",
    callers="concurrent requests",
    headline="total_s",
    is_paced=False,
    is_transcribed=True,
    is_synthesised=False,
    default_slos=("rtf:p95<1", "error_rate<1%", "wer_delta<5%"),
    request_name="UPLOAD",
    url_schemes=HTTP_SCHEMES,
    key_variable=API_KEY_VARIABLE,
    dialects="stt_load.uploads.apis:UPLOAD_APIS",
    workload="stt_load.workloads.upload:UploadWorkload",
)
TTS = LoadKind(
    name="tts",
    title="text to speech, for `stt-load tts`",
    subtitle="text to speech: how fast the server speaks",
    caller="concurrent stream",
    callers="concurrent streams",
    headline="total_s",
    is_paced=False,
    is_transcribed=False,
    is_synthesised=True,
    default_slos=("rtf:p95<1", "underruns<1", "error_rate<1%"),
    request_name="TTS",
    url_schemes=(*HTTP_SCHEMES, *WEBSOCKET.schemes),
    key_variable=TTS_KEY_VARIABLE,
    dialects="stt_load.tts.apis:TTS_APIS",
    workload="stt_load.workloads.tts:TtsWorkload",
)

CONVERSATION = LoadKind(
    name="conversation",
    title="conversations, speech in and speech out",
    subtitle="conversations: callers speak, and the server answers in speech",
    caller="caller",
    callers="callers",
    headline="voice_to_voice_s",
    is_paced=True,
    is_transcribed=False,
    is_synthesised=True,
    default_slos=("voice_to_voice:p95<1s", "underruns<1", "error_rate<1%"),
    request_name="TURN",
    url_schemes=(*WEBSOCKET.schemes, *TCP.schemes),
    key_variable=API_KEY_VARIABLE,
    dialects="stt_load.conversation.registry:CONVERSATIONS",
    workload="stt_load.workloads.conversation:ConversationWorkload",
)

KINDS: dict[str, LoadKind] = {kind.name: kind for kind in (STREAM, UPLOAD, TTS, CONVERSATION)}
"""Every kind of load, by its name in records and in `run.json`."""

ALL_KINDS = frozenset(KINDS.values())
PACED = frozenset(kind for kind in ALL_KINDS if kind.is_paced)
REQUESTS = ALL_KINDS - PACED
TRANSCRIBED = frozenset(kind for kind in ALL_KINDS if kind.is_transcribed)
SYNTHESISED = frozenset(kind for kind in ALL_KINDS if kind.is_synthesised)
STREAMS = PACED & TRANSCRIBED
TEXTS = REQUESTS & SYNTHESISED
CONVERSATIONS = PACED & SYNTHESISED
IN_FRAMES = PACED | SYNTHESISED
"""Kinds of which something is sent at its pace: audio, or a text that is fed piece by piece."""


def kind_of(dialect: str | None) -> LoadKind:
    """The kind of load that `--dialect` asks for; streams where no kind knows the name."""
    return next((kind for kind in KINDS.values() if dialect in kind.dialect_rows()), STREAM)
