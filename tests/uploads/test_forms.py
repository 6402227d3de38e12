"""A clip as a form that any server can take apart."""

from __future__ import annotations

from email import message_from_bytes

import numpy as np
from fakes import clip

from stt_load.audio.codec import decode
from stt_load.server.posts import parse_form
from stt_load.uploads.forms import clip_form


def test_the_file_is_the_clip_bit_by_bit_and_fields_are_told_as_they_are() -> None:
    spoken = clip()
    form = clip_form(spoken, {"model": "whisper-1", "stream": False, "temperature": 0.5, "prompt": None})
    fields, file = parse_form(form.content_type, form.body)
    assert fields == {"model": "whisper-1", "stream": "false", "temperature": "0.5"}
    assert file is not None
    heard = decode(file)
    assert heard.sample_rate_hz == spoken.sample_rate_hz
    assert np.array_equal(heard.samples, spoken.samples)


def test_somebody_elses_parser_finds_the_same_parts() -> None:
    form = clip_form(clip(), {"hotwords": "北京 Zürich", "granularity[]": ("word", "segment")})
    message = message_from_bytes(b"Content-Type: " + form.content_type.encode() + b"\r\n\r\n" + form.body)
    named = [(part.get_param("name", header="content-disposition"), part) for part in message.get_payload()]  # type: ignore[union-attr]
    assert [name for name, _ in named] == ["hotwords", "granularity[]", "granularity[]", "file"]
    assert named[0][1].get_payload(decode=True).decode() == "北京 Zürich"
    assert named[-1][1].get_filename().endswith(".wav")
    assert named[-1][1].get_content_type() == "audio/wav"


def test_the_boundary_is_nowhere_in_the_file() -> None:
    form = clip_form(clip(), {})
    boundary = form.content_type.partition("boundary=")[2].encode()
    assert form.body.count(boundary) == 2


def test_a_name_cannot_end_its_quotes() -> None:
    form = clip_form(clip(), {'a"\r\nX: y': "value"})
    assert b'name="a%22%0D%0AX: y"' in form.body


def test_the_same_clip_gives_the_same_bytes() -> None:
    assert clip_form(clip(), {"model": "m"}) == clip_form(clip(), {"model": "m"})
