"""gRPC messages in HTTP/2 frames (grpc.github.io/grpc/core/md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html).

    GrpcFrame      a message that we send: made once, its bytes are the same for every caller
    MessageReader  puts the server's messages together

Each call has a connection of its own, so its stream has the same number in all of them, and the audio of a clip is
framed once for thousands of callers: sending it is one write, and two subtractions for flow control.
"""

from __future__ import annotations

import functools
import struct

from stt_load.dialects.events import Message
from stt_load.errors import ProtocolError
from stt_load.session.http2_frames import HEADER_BYTES, in_pieces, payload_length

_PREFIX = struct.Struct("!BI")  # compressed or not, and the length
_AS_IT_IS = 0


class GrpcFrame:
    """One message as DATA frames. `n_bytes`: what it takes of the windows of flow control."""

    __slots__ = ("data", "n_bytes")

    def __init__(self, message: Message) -> None:
        assert isinstance(message, bytes), "gRPC has no text messages"
        payload = _PREFIX.pack(_AS_IT_IS, len(message)) + message
        self.data = b"".join(in_pieces(payload))
        self.n_bytes = len(payload)

    @property
    def payload(self) -> bytes:
        """The message behind its length, without the frames around it."""
        pieces, at = [], 0
        while at < len(self.data):
            start = at + HEADER_BYTES
            at = start + payload_length(self.data, at)
            pieces.append(self.data[start:at])
        return b"".join(pieces)

    @property
    def message(self) -> Message:
        """The message as it was given."""
        return self.payload[_PREFIX.size :]


@functools.lru_cache(maxsize=64)
def grpc_frame(message: bytes) -> GrpcFrame:
    """The frame of a message that every call sends again: its config."""
    return GrpcFrame(message)


class MessageReader:
    """Puts together the messages of one call. Raises ProtocolError where one is compressed, which nobody offered, or
    longer than `most_bytes`."""

    __slots__ = ("_most_bytes", "_rest")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._rest = b""

    @property
    def is_between_messages(self) -> bool:
        return not self._rest

    def feed(self, data: bytes) -> list[bytes]:
        """Takes what came in DATA frames. Gives the messages that are whole with it."""
        data, at, messages = self._rest + data if self._rest else data, 0, []
        while len(data) - at >= _PREFIX.size:
            coding, n_bytes = _PREFIX.unpack_from(data, at)
            if coding != _AS_IT_IS:
                raise ProtocolError("a compressed gRPC message, where no compression was offered")
            if n_bytes > self._most_bytes:
                raise ProtocolError(f"a message of {n_bytes:,} bytes, where {self._most_bytes:,} are the most")
            start = at + _PREFIX.size
            if start + n_bytes > len(data):
                break
            at = start + n_bytes
            messages.append(data[start:at])
        self._rest = data[at:]
        return messages
