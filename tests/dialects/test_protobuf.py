"""Protocol Buffers by a table, held against Google's runtime."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from servers.riva_messages import Request, Response

from stt_load.dialects.protobuf import Field, Fields, decode, encode, varint
from stt_load.dialects.riva_grpc import REQUEST, RESPONSE
from stt_load.errors import ProtocolError

EVERY_KIND: Fields = {
    1: Field("is_final", "bool"),
    2: Field("count", "int32"),
    16: Field("stability", "float"),
    200: Field("text", "string"),
    3: Field("audio", "bytes"),
    4: Field("names", "string", is_list=True),
    5: Field("settings", "map"),
    6: Field("inner", "message", {1: Field("text", "string")}),
}

texts = st.text(st.characters(codec="utf-8"), max_size=20)
alternatives = st.fixed_dictionaries({"transcript": texts})
results = st.fixed_dictionaries(
    {"alternatives": st.lists(alternatives, max_size=3)}, optional={"is_final": st.booleans()}
)


def as_runtime_has_it(data: bytes) -> list[dict[str, Any]]:
    """The results of a response by the runtime, with the fields that the dialect reads."""
    return [
        {"is_final": result.is_final, "texts": [each.transcript for each in result.alternatives]}
        for result in Response.FromString(data).results
    ]


def as_table_has_it(data: bytes) -> list[dict[str, Any]]:
    return [
        {
            "is_final": result.get("is_final", False),
            "texts": [each.get("transcript", "") for each in result.get("alternatives", ())],
        }
        for result in decode(data, RESPONSE).get("results", ())
    ]


@given(st.lists(results, max_size=3))
def test_the_runtime_reads_what_the_table_writes_and_the_other_way_round(said: list[dict[str, Any]]) -> None:
    data = encode({"results": said}, RESPONSE)
    assert as_runtime_has_it(data) == as_table_has_it(data)
    written = json_format.ParseDict({"results": said}, Response()).SerializeToString()
    assert as_table_has_it(written) == as_table_has_it(data)


@given(
    st.binary(max_size=60) | st.lists(results, max_size=2).map(lambda said: encode({"results": said}, RESPONSE)[:-1])
)
def test_whatever_the_runtime_reads_the_table_reads_alike(data: bytes) -> None:
    """Groups apart, which no .proto of these years has."""
    try:
        expected = as_runtime_has_it(data)
    except DecodeError:
        return
    try:
        assert as_table_has_it(data) == expected
    except ProtocolError as error:
        assert "wire type" in str(error)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63])
def test_a_number_is_written_in_as_many_bytes_as_it_needs(value: int) -> None:
    data = varint(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert sum((byte & 0x7F) << 7 * k for k, byte in enumerate(data)) == value


def test_every_kind_of_field_comes_back_as_it_was_said() -> None:
    said = {
        "is_final": True,
        "count": -5,
        "stability": 0.5,
        "text": "grüezi",
        "audio": b"\x00\xff",
        "names": ["a", ""],
        "inner": {"text": "x"},
    }
    assert decode(encode(said, EVERY_KIND), EVERY_KIND) == said


def test_what_is_not_said_is_not_sent_and_what_is_false_is() -> None:
    assert encode({"text": None}, EVERY_KIND) == b""
    assert decode(encode({"is_final": False}, EVERY_KIND), EVERY_KIND) == {"is_final": False}


def test_the_config_means_to_the_runtime_what_was_meant() -> None:
    config = {"custom_configuration": {"a": "1", "b": "2"}, "endpointing_config": {"stop_history": 0}}
    request = Request.FromString(encode({"streaming_config": {"config": config, "interim_results": True}}, REQUEST))
    told = request.streaming_config
    assert told.interim_results
    assert {entry.key: entry.value for entry in told.config.custom_configuration} == {"a": "1", "b": "2"}
    assert told.config.HasField("endpointing_config")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x0a", "a number has no end"),
        (b"\x0a\x05abc", "in the middle of a field"),
        (b"\x0d\x00\x00", "in the middle of a field"),
        (b"\x00\x00", "the number 0"),
        (b"\x0b", "wire type 3"),
        (b"\xff" * 11, "a number has no end"),
        (encode({"results": [{"alternatives": [{"transcript": "x"}]}]}, RESPONSE)[:-1] + b"\xff", "no UTF-8"),
    ],
)
def test_what_is_no_message_is_refused_in_one_line(data: bytes, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        decode(data, RESPONSE)
    with pytest.raises(DecodeError):
        Response.FromString(data)


def test_fields_of_later_versions_and_of_another_type_are_passed_over() -> None:
    later = encode({"text": "new"}, {77: Field("text", "string")}) + b"\x08\x01"  # field 1 as a number
    assert decode(later, RESPONSE) == {}
