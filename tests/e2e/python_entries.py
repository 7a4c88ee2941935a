"""Counts the calls from JavaScript into Python, where Pyodide makes them."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Route

COUNTER = "pythonEntries"

_COUNT = f"globalThis.{COUNTER} = (globalThis.{COUNTER} ?? 0) + 1"
# The two ways into a Python function, as Pyodide's loader has them, and the same with a count.
_CALLS = {
    '=wasmExports["_pyproxy_apply"]': (
        f'=((f) => (...a) => ({_COUNT}, f(...a)))(wasmExports["_pyproxy_apply"])'
    ),
    "return promisingApplyHandler(...args)": f"{_COUNT}; return promisingApplyHandler(...args)",
}


def count_python_entries(context: BrowserContext) -> None:
    """Workers started in this context count into their global COUNTER."""
    context.route("**/pyodide/pyodide.asm.mjs", _answer_with_counts)


def _answer_with_counts(route: Route) -> None:
    response = route.fetch()
    script = response.text()
    for call, counted in _CALLS.items():
        assert script.count(call) == 1, f"Pyodide's loader has no {call!r} any more"
        script = script.replace(call, counted)
    route.fulfill(response=response, body=script)
