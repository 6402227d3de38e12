from __future__ import annotations

from pathlib import Path

import pytest
from clip_folders import problems_of
from data_sets import put, write

from stt_load.clips.folder import load_folder


def test_texts_of_windows_are_read(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_bytes("naïve café\r\n".encode("utf-16"))
    assert load_folder(tmp_path, None).clips[0].reference == "naïve café"


@pytest.mark.parametrize(("audio", "texts"), [(("a", "b"), ("txt",)), (("a",), ("txt-1", "txt-2"))])
def test_a_text_of_another_folder_is_taken_only_where_its_name_is_there_once(
    tmp_path: Path, audio: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    for folder in audio:
        put(tmp_path / "wav" / folder / "1.wav")
    for folder in texts:
        write(tmp_path / folder / "1.txt", "whose?")
    told = problems_of(tmp_path)
    assert len([problem for problem in told if "no reference text" in problem]) == len(audio)
