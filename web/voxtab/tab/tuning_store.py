"""Where a tab keeps the choice of tiles: web/worker/tuning_store.js, which has a file of this origin for it."""

from typing import Any

from voxtab.tuning.tuner import LEAST_WEIGHTS, Tuner, TuningStore


class BrowserTuningStore(TuningStore):
    """`js` is an instance of TuningStore in web/worker/tuning_store.js."""

    def __init__(self, js: Any) -> None:
        self._js = js

    async def read(self, name: str) -> str | None:
        found = await self._js.read(name)
        return found if isinstance(found, str) else None

    async def write(self, name: str, text: str) -> None:
        await self._js.write(name, text)


def tuner_for(js: Any) -> Tuner | None:
    """None where there is to be no tuning."""
    if js is None:
        return None
    return Tuner(BrowserTuningStore(js), 0 if js.always else LEAST_WEIGHTS)
