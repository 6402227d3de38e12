from pathlib import Path

import pytest

from stt_load.errors import ConfigError
from stt_load.server.language import language_model, pronunciations, words_of

pytest.importorskip("pocketsphinx")


def test_words_are_spelled_as_the_dictionary_spells_them() -> None:
    assert words_of("There's a forty-five dollar bill; don’t 'panic'!") == [
        *("there's", "a", "forty", "five", "dollar", "bill", "don't", "panic"),
    ]


def test_a_word_comes_with_all_its_pronunciations() -> None:
    lines = pronunciations({"the", "xyzzy"})
    assert set(lines) == {"the"}
    assert [line.split()[0] for line in lines["the"]] == ["the", "the(2)"]


def test_a_model_holds_the_words_of_its_texts_and_is_built_once(tmp_path: Path) -> None:
    model = language_model(["The red barn.", "A red bus!"], tmp_path)
    assert "red barn </s>" in model.ngrams.read_text()
    assert "barn B AA R N" in model.pronunciations.read_text()
    before = model.ngrams.stat()
    assert language_model(["The red barn.", "A red bus!"], tmp_path) == model
    assert model.ngrams.stat() == before


def test_other_texts_make_another_model(tmp_path: Path) -> None:
    assert language_model(["one"], tmp_path) != language_model(["two"], tmp_path)


def test_a_word_without_pronunciation_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    language_model(["The red xyzzy."], tmp_path)
    assert "no pronunciation for xyzzy" in capsys.readouterr().err


def test_texts_without_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no words to recognise"):
        language_model(["1234", "!"], tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "language").write_text("a file in the way")
    with pytest.raises(ConfigError, match="set STT_LOAD_CACHE"):
        language_model(["one"], tmp_path)
