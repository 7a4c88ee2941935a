"""Options from a page: names and kinds are checked here, values by the session they are for."""

import json
from collections.abc import Mapping
from typing import Any

from voxtab.errors import VoxtabError

Kinds = Mapping[str, tuple[type, ...]]

SWITCH: tuple[type, ...] = (bool,)
WHOLE: tuple[type, ...] = (int,)
NUMBER: tuple[type, ...] = (int, float)
WORD: tuple[type, ...] = (str,)


def read_options(options_json: str, kinds: Kinds) -> dict[str, Any]:
    """Raises VoxtabError option-invalid for what is not an object of these names and kinds."""
    given = json.loads(options_json)
    hint = "Use " + ", ".join(kinds) + "."
    if not isinstance(given, dict):
        raise VoxtabError("option-invalid", "The options are not an object.", hint)
    for name, value in given.items():
        kind = kinds.get(name, ())
        # True is an int to Python, and no number to a page.
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
            raise VoxtabError("option-invalid", f"The option {name!r} can't be {value!r}.", hint)
    return given
