"""A text as a language model writes it: token by token, each due at its moment.

No tokenizer of a certain model is here, and no two agree. A token is a word with the blanks before it, or eight bytes
of a longer one: hardly more than one to a word of English, two characters of Chinese. Pieces put together are the text
again, so a server that waits for the blank after a full stop gets it with the next word, as from a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stt_load.session.prepared_message import PreparedMessage
from stt_load.tts.text_stream import TextStreamDialect

_TOKEN_BYTES = 8
_WORD = re.compile(r"(\s*)(\S+)|\s+$")


def tokens_of(text: str) -> list[str]:
    """The text in tokens, as defined above."""
    tokens: list[str] = []
    for match in _WORD.finditer(text):
        if match[2] is None:  # blanks behind the last word
            tokens.append(match[0])
            continue
        first, *rest = _cut(match[2])
        tokens += [match[1] + first, *rest]
    return tokens


def _cut(word: str) -> Iterator[str]:
    """Parts of up to `_TOKEN_BYTES` of UTF-8, one character at the least."""
    part, n_bytes = "", 0
    for character in word:
        size = len(character.encode("utf-8", "replace"))
        if part and n_bytes + size > _TOKEN_BYTES:
            yield part
            part, n_bytes = "", 0
        part, n_bytes = part + character, n_bytes + size
    yield part


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text in the messages of one dialect: made once, shared by every listener. `frames`: the message of each piece,
    ready to be sent; piece k is due `(k + 1) * frame_s` after the stream starts."""

    frames: Sequence[Sequence[PreparedMessage]]
    frame_s: float


def encode_text(text: str, dialect: TextStreamDialect, tokens_per_s: float) -> EncodedText:
    """Cuts a text into pieces of as many tokens as the dialect is to send at once, and encodes them."""
    tokens, at_once = tokens_of(text), dialect.tokens_per_message
    pieces = ["".join(tokens[first : first + at_once]) for first in range(0, len(tokens), at_once)]
    prepare = dialect.carrier.prepared_class()
    frames = tuple((prepare(dialect.text_message(piece)),) for piece in pieces)
    return EncodedText(frames, at_once / tokens_per_s)
