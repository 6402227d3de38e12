"""Makes texts of other people's JSON writable.

JSON may hold half of a character beyond the BMP ("\\ud83d"): servers and scripts cut an emoji in two. No file, console
or socket takes such a text.
"""

from __future__ import annotations

from typing import Any


def with_whole_characters(value: Any) -> Any:
    """A JSON value whose texts can be written anywhere: two halves beside each other (surrogates) become the character,
    a lone one U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (list, tuple)):
        return [with_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {with_whole_characters(key): with_whole_characters(item) for key, item in value.items()}
    return value
