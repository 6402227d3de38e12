"""Documents as JSON that programs read."""

from __future__ import annotations

import json
from typing import Any


def json_text(document: Any) -> str:
    """The text of a whole file. Raises ValueError for a number that JSON doesn't have: `null` stands for those."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
