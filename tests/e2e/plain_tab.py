"""Tabs that may be hidden. Those of Playwright's own always count as seen, so these are driven by messages of the
DevTools protocol, one inside another, through the browser's own session."""

from __future__ import annotations

import json
import time
from typing import Any

from playwright.sync_api import CDPSession

_PATIENCE_S = 120.0


class PlainTab:
    """A tab in the window there is, or in a first one."""

    def __init__(self, browser: CDPSession, url: str, first: bool = False) -> None:
        self._browser = browser
        self._asked = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._id = browser.send("Target.createTarget", {"url": url, "newWindow": first})["targetId"]
        attached = browser.send("Target.attachToTarget", {"targetId": self._id, "flatten": False})
        self._session: str = attached["sessionId"]
        browser.on("Target.receivedMessageFromTarget", self._received)

    def _received(self, event: dict[str, Any]) -> None:
        answer = json.loads(event["message"])
        if event["sessionId"] == self._session and "id" in answer:
            self._answers[answer["id"]] = answer

    def bring_to_front(self) -> None:
        """The others of its window are hidden then."""
        self._browser.send("Target.activateTarget", {"targetId": self._id})

    def evaluate(self, script: str) -> Any:
        """The value of an expression."""
        return _value(self._answer_to(script))

    def wait_for(self, script: str) -> None:
        """Until an expression is true. A tab that has no document yet answers with an error: it isn't then."""
        deadline = time.monotonic() + _PATIENCE_S
        while "error" in (answer := self._answer_to(script)) or not _value(answer):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.1)

    def _answer_to(self, script: str) -> dict[str, Any]:
        self._asked += 1
        params = {"expression": script, "returnByValue": True}
        message = {"id": self._asked, "method": "Runtime.evaluate", "params": params}
        self._browser.send(
            "Target.sendMessageToTarget", {"sessionId": self._session, "message": json.dumps(message)}
        )
        deadline = time.monotonic() + _PATIENCE_S
        while self._asked not in self._answers:
            assert time.monotonic() < deadline, f"no answer to {script}"
            self._browser.send("Browser.getVersion")  # events come in while something is waited for
        return self._answers.pop(self._asked)


def _value(answer: dict[str, Any]) -> Any:
    assert "error" not in answer, answer
    assert "exceptionDetails" not in answer["result"], answer
    return answer["result"]["result"].get("value")
