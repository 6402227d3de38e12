"""Riva's messages in the protobuf runtime, from the field numbers of riva/proto/riva_asr.proto.

The other side of what `stt_load/dialects/riva_grpc.py` writes and reads by its own tables: Google's runtime, with the
fields that the dialect knows and those that it passes over.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "nvidia.riva.asr"
SERVICE = f"{PACKAGE}.RivaSpeechRecognition"

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "float": _FIELD.TYPE_FLOAT,
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
}
# Name, number and type of each field. A type with * is repeated, one with ? tells whether it was said (it is optional,
# or one of several); one that is no scalar is a message of this table.
_MESSAGES: dict[str, list[tuple[str, int, str]]] = {
    "RequestId": [("value", 1, "string")],
    "SpeechContext": [("phrases", 1, "string*"), ("boost", 4, "float")],
    "EndpointingConfig": [
        ("start_history", 1, "int32"),
        ("start_threshold", 2, "float"),
        ("stop_history", 3, "int32?"),
        ("stop_threshold", 4, "float"),
        ("stop_history_eou", 5, "int32?"),
        ("stop_threshold_eou", 6, "float"),
    ],
    "Entry": [("key", 1, "string"), ("value", 2, "string")],
    "RecognitionConfig": [
        ("encoding", 1, "int32"),
        ("sample_rate_hertz", 2, "int32"),
        ("language_code", 3, "string"),
        ("max_alternatives", 4, "int32"),
        ("profanity_filter", 5, "bool"),
        ("speech_contexts", 6, "SpeechContext*"),
        ("audio_channel_count", 7, "int32"),
        ("enable_word_time_offsets", 8, "bool"),
        ("enable_automatic_punctuation", 11, "bool"),
        ("model", 13, "string"),
        ("verbatim_transcripts", 14, "bool"),
        ("custom_configuration", 24, "Entry*"),  # a map is a list of entries on the wire
        ("endpointing_config", 25, "EndpointingConfig"),
    ],
    "StreamingRecognitionConfig": [("config", 1, "RecognitionConfig"), ("interim_results", 2, "bool")],
    "StreamingRecognizeRequest": [
        ("streaming_config", 1, "StreamingRecognitionConfig"),
        ("audio_content", 2, "bytes?"),
        ("id", 100, "RequestId"),
    ],
    "WordInfo": [
        ("start_time", 1, "int32"),
        ("end_time", 2, "int32"),
        ("word", 3, "string"),
        ("confidence", 4, "float"),
        ("speaker_tag", 5, "int32"),
    ],
    "SpeechRecognitionAlternative": [
        ("transcript", 1, "string"),
        ("confidence", 2, "float"),
        ("words", 3, "WordInfo*"),
        ("language_code", 4, "string*"),
    ],
    "PipelineStates": [("vad_probabilities", 1, "float*")],
    "StreamingRecognitionResult": [
        ("alternatives", 1, "SpeechRecognitionAlternative*"),
        ("is_final", 2, "bool"),
        ("stability", 3, "float"),
        ("channel_tag", 5, "int32"),
        ("audio_processed", 6, "float"),
        ("pipeline_states", 7, "PipelineStates"),
    ],
    "StreamingRecognizeResponse": [("results", 1, "StreamingRecognitionResult*"), ("id", 100, "RequestId")],
}


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    mark, kind = kind[-1], kind.rstrip("*?")
    field = message.field.add(name=name, number=number)
    field.label = _FIELD.LABEL_REPEATED if mark == "*" else _FIELD.LABEL_OPTIONAL
    if mark == "?":
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{PACKAGE}.{kind}"


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="riva_asr.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES = _classes()
Request: Any = _CLASSES["StreamingRecognizeRequest"]
Response: Any = _CLASSES["StreamingRecognizeResponse"]
