"""What a server might say to command a terminal, and to forge a line of ours."""

from __future__ import annotations

import re

PLANT = "\x1b]0;owned\x07\x1b[2J\r\nPASS (exit code 0)\x9b31m\u202e"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]")
"""Matches what a terminal obeys, but the end of a line."""
