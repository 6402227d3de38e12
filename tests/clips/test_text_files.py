from __future__ import annotations

from pathlib import Path

import pytest

from stt_load.clips.text_files import head_of, text_of
from stt_load.errors import ConfigError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_read_in_each_encoding_that_says_what_it_is(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.tsv").write_bytes("naïve café\n".encode(encoding))
    assert text_of(tmp_path / "a.tsv") == "naïve café\n"


def test_a_list_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match=r"a.tsv: can't be read as UTF-8 .*: convert it"):
        text_of(tmp_path / "a.tsv")
    with pytest.raises(ConfigError, match=r"can't be read \(Is a directory\)"):
        text_of(tmp_path)


def test_the_head_of_anything_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff" * 100_000)
    assert head_of(tmp_path / "a.wav").startswith("RIFF\ufffd")
    assert len(head_of(tmp_path / "a.wav")) == 64 * 1024
    assert head_of(tmp_path / "gone") == ""
