"""A clip as a form that any server can take apart."""

from __future__ import annotations

import dataclasses
from email import message_from_bytes
from email.message import Message

import numpy as np
from fakes import clip

from stt_load.audio.codec import decode
from stt_load.uploads.forms import Form, clip_form


def parts_of(form: Form) -> list[tuple[str, Message]]:
    """(name, part) of a form, by the standard library's parser of MIME."""
    message = message_from_bytes(b"Content-Type: " + form.content_type.encode() + b"\r\n\r\n" + form.body)
    return [(part.get_param("name", header="content-disposition"), part) for part in message.get_payload()]  # type: ignore[union-attr,misc]


def test_the_file_is_the_clip_bit_by_bit_and_fields_are_told_as_they_are() -> None:
    spoken = clip()
    parts = parts_of(clip_form(spoken, {"model": "whisper-1", "stream": False, "temperature": 0.5, "prompt": None}))
    fields = {name: part.get_payload() for name, part in parts if part.get_filename() is None}
    assert fields == {"model": "whisper-1", "stream": "false", "temperature": "0.5"}
    heard = decode(parts[-1][1].get_payload(decode=True))  # type: ignore[arg-type]
    assert heard.sample_rate_hz == spoken.sample_rate_hz
    assert np.array_equal(heard.samples, spoken.samples)


def test_a_list_is_a_field_for_each_of_its_values_and_the_file_comes_last() -> None:
    parts = parts_of(clip_form(clip(), {"hotwords": "北京 Zürich", "granularity[]": ("word", "segment")}))
    assert [name for name, _ in parts] == ["hotwords", "granularity[]", "granularity[]", "file"]
    assert parts[0][1].get_payload(decode=True).decode() == "北京 Zürich"  # type: ignore[union-attr]
    file = parts[-1][1]
    assert (file.get_filename() or "").endswith(".wav")
    assert file.get_content_type() == "audio/wav"


def test_the_name_of_the_file_holds_no_folder() -> None:
    """A clip of a nested data set has its folder in its id, and a server may save the file under its name."""
    nested = dataclasses.replace(clip(), clip_id="../speaker-1/a")
    assert parts_of(clip_form(nested, {}))[-1][1].get_filename() == "..-speaker-1-a.wav"


def test_the_boundary_is_nowhere_in_the_file() -> None:
    form = clip_form(clip(), {})
    boundary = form.content_type.partition("boundary=")[2].encode()
    assert form.body.count(boundary) == 2


def test_a_name_cannot_end_its_quotes() -> None:
    form = clip_form(clip(), {'a"\r\nX: y': "value"})
    assert b'name="a%22%0D%0AX: y"' in form.body


def test_the_same_clip_gives_the_same_bytes() -> None:
    assert clip_form(clip(), {"model": "m"}) == clip_form(clip(), {"model": "m"})
