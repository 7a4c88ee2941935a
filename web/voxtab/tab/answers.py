"""Answers to the worker as JSON, errors among them."""

import json
from collections.abc import Callable
from typing import Any

from voxtab.errors import VoxtabError


def ok(result: Any) -> str:
    return json.dumps({"ok": result})


def refused(error: Exception) -> str:
    return json.dumps({"error": plain_error(error)})


def answer(work: Callable[[], Any]) -> str:
    """What a short call answers."""
    try:
        return ok(work())
    except Exception as error:
        return refused(error)


def plain_error(error: Exception) -> dict[str, str]:
    """A VoxtabError as it is; one thrown by JavaScript by its fields; anything else is a bug of ours and says so."""
    if isinstance(error, VoxtabError):
        return error.to_json()
    thrown: Any = getattr(error, "js_error", error)
    code = getattr(thrown, "code", None)
    if isinstance(code, str) and code:
        return {
            "code": code,
            "message": str(getattr(thrown, "message", error)),
            "hint": str(getattr(thrown, "hint", "")),
        }
    message = f"{type(error).__name__}: {error}"[:500]
    return {"code": "internal", "message": message, "hint": "This is a fault in voxtab; please report it."}
