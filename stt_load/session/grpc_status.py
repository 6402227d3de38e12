"""The statuses with which gRPC calls end, and what they come from where a server doesn't give one.

Source: grpc.github.io/grpc/core/md_doc_statuscodes.html and, for HTTP/2, md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html.
"""

from __future__ import annotations

from enum import IntEnum

from stt_load.session.http2_frames import ErrorCode


class GrpcStatus(IntEnum):
    """How a call ended, as `grpc-status` tells it."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# What the end of a stream by RST_STREAM means; any other code is INTERNAL.
_STATUS_OF_RESET: dict[int, GrpcStatus] = {
    ErrorCode.REFUSED_STREAM: GrpcStatus.UNAVAILABLE,
    ErrorCode.CANCEL: GrpcStatus.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: GrpcStatus.RESOURCE_EXHAUSTED,
    ErrorCode.INADEQUATE_SECURITY: GrpcStatus.PERMISSION_DENIED,
}


def status_of_reset(code: int) -> GrpcStatus:
    """The status of a call whose stream the server has reset with this code."""
    return _STATUS_OF_RESET.get(code, GrpcStatus.INTERNAL)


def parse_status(text: str | None) -> GrpcStatus:
    """The status that `grpc-status` tells; UNKNOWN where it is none of those that there are."""
    try:
        return GrpcStatus(int(text or ""))
    except ValueError:
        return GrpcStatus.UNKNOWN


def error_name(code: int) -> str:
    """The name of an error of HTTP/2."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
