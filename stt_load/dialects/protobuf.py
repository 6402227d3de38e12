"""Protocol Buffers by a table: what a message says, as a dict with the names of its .proto file.

    RESULT = {1: Field("transcript", "string"), 2: Field("is_final", "bool")}
    decode(encode({"transcript": "hello"}, RESULT), RESULT) == {"transcript": "hello"}

A dialect whose server speaks gRPC has a few messages, of which it needs a few fields: their numbers are what has to be
written down either way, and generated code would want its own version of the protobuf package, in each process of a
load machine. Encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stt_load.errors import ProtocolError

Fields = Mapping[int, "Field"]
"""The fields of a message that somebody asks for, by their numbers."""

Kind = Literal["bool", "int32", "float", "string", "bytes", "message", "map"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types
_WIRE_TYPES: dict[Kind, int] = {
    "bool": _VARINT,
    "int32": _VARINT,
    "float": _FIXED32,
    "string": _LENGTH,
    "bytes": _LENGTH,
    "message": _LENGTH,
    "map": _LENGTH,
}
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_MOST_VARINT_BYTES = 10
_HIGHEST_NUMBER = (1 << 29) - 1  # of a field
_SIGN_OF_INT32, _INT32 = 1 << 31, 1 << 32
_FLOAT = struct.Struct("<f")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. `kind`: its type in the .proto file; "int32" is any enum too, "map" one of strings to
    strings. `fields`: of the messages that it holds. `is_list`: it is `repeated`."""

    name: str
    kind: Kind
    fields: Fields | None = None
    is_list: bool = False


def encode(body: Mapping[str, Any], fields: Fields) -> bytes:
    """The message that says what `body` does. What isn't in `body`, or is None there, is not said."""
    parts = []
    for number, field in fields.items():
        value = body.get(field.name)
        for each in _occurrences(value, field):
            parts.append(varint(number << 3 | _WIRE_TYPES[field.kind]) + _encoded(each, field))
    return b"".join(parts)


def varint(value: int) -> bytes:
    """A whole number from 0 in as many bytes as it needs, seven bits in each."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def with_length(data: bytes) -> bytes:
    """Bytes, a text or a message as they stand behind their tag."""
    return varint(len(data)) + data


def decode(data: bytes, fields: Fields) -> dict[str, Any]:
    """What a message says, as far as `fields` asks for it: fields that it doesn't have are left out, those of later
    versions are passed over, lists hold all that came. Raises ProtocolError, one line, where it is no message."""
    body: dict[str, Any] = {}
    for number, wire_type, value in _cut(data):
        field = fields.get(number)
        if field is None or _WIRE_TYPES[field.kind] != wire_type:
            continue
        if field.is_list:
            body.setdefault(field.name, []).append(_decoded(value, field))
        else:
            body[field.name] = _decoded(value, field)
    return body


def _occurrences(value: Any, field: Field) -> list[Any]:
    if value is None:
        return []
    if field.kind == "map":
        return list(value.items())
    return list(value) if field.is_list else [value]


def _encoded(value: Any, field: Field) -> bytes:
    match field.kind:
        case "bool" | "int32":
            return varint(int(value) % (1 << 64))  # a negative number is one of 64 bits
        case "float":
            return _FLOAT.pack(value)
        case "string":
            return with_length(value.encode())
        case "message":
            return with_length(encode(value, field.fields or {}))
        case "map":
            key, text = value
            return with_length(encode({"key": key, "value": text}, _ENTRY))
    return with_length(value)


_ENTRY: Fields = {1: Field("key", "string"), 2: Field("value", "string")}


def _decoded(value: Any, field: Field) -> Any:
    match field.kind:
        case "bool":
            return bool(value)
        case "int32":
            value %= _INT32
            return value - _INT32 if value >= _SIGN_OF_INT32 else value
        case "float":
            return _FLOAT.unpack(value)[0]
        case "string":
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise ProtocolError(f"not protobuf: {field.name} is no UTF-8") from error
        case "message":
            return decode(value, field.fields or {})
    return value


def _cut(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Number, wire type and value of each field: a number of a varint, bytes of the others."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= _HIGHEST_NUMBER:
            raise ProtocolError(f"not protobuf: a field has the number {number}")
        if wire_type == _VARINT:
            value, at = _read_varint(data, at)
            yield number, wire_type, value
            continue
        if wire_type == _LENGTH:
            n_bytes, at = _read_varint(data, at)
        elif wire_type in _FIXED_BYTES:
            n_bytes = _FIXED_BYTES[wire_type]
        else:
            raise ProtocolError(f"not protobuf: a field has the wire type {wire_type}")
        start, at = at, at + n_bytes
        if at > end:
            raise ProtocolError("not protobuf: it ends in the middle of a field")
        yield number, wire_type, data[start:at]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    if at < len(data) and data[at] < 0x80:  # one byte, as nearly all tags and lengths are
        return data[at], at + 1
    value = 0
    for k, byte in enumerate(data[at : at + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * k
        if byte < 0x80:
            return value % (1 << 64), at + k + 1
    raise ProtocolError("not protobuf: a number has no end")
