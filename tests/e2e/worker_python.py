"""The worker's own Python, for stages that no call of voxtab.js reaches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Route, Worker

ROOT = Path(__file__).parents[2]
_STARTED = "return await loadPyodide("

_WRITE_AND_CALL = """async ([files, module, name, words]) => {
  for (const [path, text] of Object.entries(files)) {
    python.FS.mkdirTree(path.replace(/[^/]*$/, ""));
    python.FS.writeFile(path, text);
  }
  python.globals.set("words", words);
  return await python.runPythonAsync(`
import json, sys
sys.path[:0] = [] if "/checkout" in sys.path else ["/checkout"]
import ${module}
json.dumps(await ${module}.${name}(*json.loads(words)))`);
}"""


def expose_python(context: BrowserContext) -> None:
    """Workers started in this context have Pyodide as their global `python`."""
    context.route("**/worker/boot.js", _answer_with_a_global)


def call_python(worker: Worker, module: Path, name: str, *words: object) -> Any:
    """What a coroutine function gives, both ways through JSON. `module`: a file of this checkout that needs nothing but
    the engine and what is in tests/parity/speech_stages.py."""
    carried = (module, ROOT / "tests/parity/speech_stages.py")
    files = {f"/checkout/{path.relative_to(ROOT).as_posix()}": path.read_text() for path in carried}
    dotted = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    return json.loads(worker.evaluate(_WRITE_AND_CALL, [files, dotted, name, json.dumps(words)]))


def _answer_with_a_global(route: Route) -> None:
    response = route.fetch()
    script = response.text()
    assert script.count(_STARTED) == 1, f"boot.js has no {_STARTED!r} any more"
    exposed = script.replace(_STARTED, "return globalThis.python = await loadPyodide(")
    route.fulfill(response=response, body=exposed)
