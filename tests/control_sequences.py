"""What a server might say to command a terminal, and to forge a line of ours."""

from __future__ import annotations

PLANT = "\x1b]0;owned\x07\x1b[2J\r\nPASS (exit code 0)\x9b31m\u202e"
