"""Every row: its options, its key, its default URL."""

from __future__ import annotations

import pytest

from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError
from stt_load.option_values import parse_http_url
from stt_load.uploads.apis import UPLOAD_APIS, UploadApi

each_row = pytest.mark.parametrize("row", UPLOAD_APIS.values(), ids=lambda row: row.name)


@each_row
def test_a_row_has_a_url_that_is_taken_and_a_name_of_its_own(row: UploadApi) -> None:
    assert parse_http_url(row.default_url) == row.default_url
    assert row.name not in DIALECTS
    assert row.name.startswith("upload-")


@each_row
def test_defaults_can_be_parsed_and_an_unknown_option_is_refused_with_those_there_are(row: UploadApi) -> None:
    assert row.parse_options([]).keys() == {option.key for option in row.options}
    with pytest.raises(ConfigError, match=rf"--dialect-option volume=11: {row.name} has ") as refused:
        row.parse_options(["volume=11"])
    assert all(f"{option.key}=…" in str(refused.value) for option in row.options)


def test_what_nobody_set_is_left_to_the_server() -> None:
    fields = UPLOAD_APIS["upload-openai"].parse_options(["language=en"])
    assert {key: value for key, value in fields.items() if value not in (None, ())} == {
        "model": "whisper-1",
        "response_format": "json",
        "stream": False,
        "language": "en",
    }


def test_parakeet_is_not_asked_for_what_it_answers_500_to() -> None:
    assert UPLOAD_APIS["upload-parakeet"].parse_options([])["should_chunk"] is False


@pytest.mark.parametrize(
    "given", ["response_format=srt", "stream=maybe", "temperature=warm", "model"], ids=lambda text: text
)
def test_a_value_that_cannot_be_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="--dialect-option"):
        UPLOAD_APIS["upload-openai"].parse_options([given])


def test_the_key_travels_as_each_server_wants_it_and_nowhere_else() -> None:
    assert UPLOAD_APIS["upload-openai"].headers("k") == {"Authorization": "Bearer k"}
    assert UPLOAD_APIS["upload-parakeet"].headers("k") == {"x-api-key": "k"}
    assert UPLOAD_APIS["upload-tingwu"].headers("k") == {}
    assert UPLOAD_APIS["upload-openai"].headers(None) == {}
