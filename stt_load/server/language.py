"""The language model of the embedded recogniser: a trigram of the texts that callers will speak.

PocketSphinx with its general model is wrong in half of the words of a synthetic voice; with a model of the texts
it is as good as a real server under test, and much cheaper. Model and pronunciations are built once for a set of
texts and kept in the cache.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stt_load.errors import ConfigError
from stt_load.process.atomic_file import write_atomically

_VERSION = 1  # raise it when the same texts would give other files


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """Two files that a decoder reads: n-grams in ARPA format, and the pronunciations of their words."""

    ngrams: Path
    pronunciations: Path


def words_of(text: str) -> list[str]:
    """The words of a text as the pronunciation dictionary spells them: lower case, letters and apostrophes only."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower().replace("’", "'"))


def language_model(texts: Sequence[str], cache: Path) -> LanguageModel:
    """The model of these texts, from the cache or built now. Raises ConfigError where no text has a word, or the cache
    can't be written."""
    sentences = [words for words in map(words_of, texts) if words]
    if not sentences:
        raise ConfigError("no words to recognise: give --texts a file with one English sentence a line")
    digest = hashlib.sha256(repr((_VERSION, sentences)).encode()).hexdigest()[:16]
    folder = cache / "language" / digest
    model = LanguageModel(folder / "words.arpa", folder / "words.dict")
    if not (model.ngrams.exists() and model.pronunciations.exists()):
        known = pronunciations({word for words in sentences for word in words})
        unknown = sorted({word for words in sentences for word in words} - known.keys())
        if unknown:
            print(f"no pronunciation for {', '.join(unknown)}: never recognised", file=sys.stderr)
        _write_to_cache(model.pronunciations, "".join(line for lines in known.values() for line in lines))
        _write_to_cache(model.ngrams, ngrams(sentences))
    return model


def ngrams(sentences: Iterable[Sequence[str]]) -> str:
    """The trigrams as ARPA text, by the builder that comes with PocketSphinx (its command `pocketsphinx_lm`)."""
    from pocketsphinx.lm import ArpaBoLM

    builder = ArpaBoLM(text="\n".join(" ".join(words) for words in sentences), add_start=True)
    builder.compute()
    out = io.StringIO()
    builder.write(out)
    return out.getvalue()


def pronunciations(words: set[str]) -> dict[str, list[str]]:
    """The dictionary lines of each known word, variants like `the(2)` included. Few words load fast."""
    from pocketsphinx import get_model_path

    found: dict[str, list[str]] = {}
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as lines:
        for line in lines:
            word = line.split(maxsplit=1)[0].partition("(")[0]
            if word in words:
                found.setdefault(word, []).append(line)
    return found


def _write_to_cache(path: Path, text: str) -> None:
    write_atomically(path, text, make_folder=True, advice="set STT_LOAD_CACHE to another folder")
