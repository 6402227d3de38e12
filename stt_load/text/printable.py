"""Shows texts of other people (servers, sidecars, file names) without letting them command the terminal.

A control sequence in a transcript could clear the screen, set the title of the window or write a line that looks like
one of ours; so could a close reason that holds a line break.
"""

from __future__ import annotations

import re

# ECMA-48 has its control codes below 0x20 and from 0x7f to 0x9f. The others move, reorder or hide the text beside them:
# line and paragraph separators, the bidirectional controls of UAX #9 that embed, override or isolate, invisible
# operators, the byte order mark, annotations, tags, and halves of a character (surrogates). The two joiners (U+200C,
# U+200D) and the directional marks stay: Persian, Hindi and Hebrew are written with them.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text on one line, each control character written as its escape in Python: ESC as `\\x1b`, a line break as
    `\\n`."""
    return text if text.isprintable() else _CONTROLS.sub(lambda sign: repr(sign[0])[1:-1], text)
