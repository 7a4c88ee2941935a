"""JSON from files that are not trusted: its nesting and number of objects are bounded before it is parsed."""

import json
from typing import Any

from voxtab.formats.json_nesting import check_nesting


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Raises ValueError, with the reason, unless `text` is one JSON object of sensible structure."""
    check_nesting(text)
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value
