"""voxtab.js as a page of one's own uses it: create, load, transcribe, through Playwright."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page, Worker

from voxtab.errors import VoxtabError

Floats = npt.NDArray[np.float32]

# Of the server's origin and under its CSP, but without an engine of its own.
BARE_PAGE = "/app/icon.svg"
PATIENCE_MS = 300_000

_SETUP = """async (patience) => {
  const { Voxtab } = await import("/app/voxtab.js");
  const inTime = (promise, what) => Promise.race([promise,
    new Promise((_, fail) => setTimeout(fail, patience, new Error(`no end of ${what} in ${patience} ms`)))]);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const text = (floats) => {
    const all = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
    let characters = "";
    for (let i = 0; i < all.length; i += 8192) characters += String.fromCharCode(...all.subarray(i, i + 8192));
    return btoa(characters);
  };
  window.vox = await inTime(Voxtab.create(), "Voxtab.create()");
  const orRefusal = (promise) =>
    promise.catch(({ code, message, hint }) => ({ refusal: [code ?? "none", message, hint ?? ""] }));
  window.tab = {
    bytes,
    load: (model) => orRefusal(inTime(vox.load(model), "load")),
    transcribe: (wav, options) => orRefusal(tab.steps(wav, options)),
    async steps(wav, options) {
      let steps = 0;
      const onDelta = () => { steps += 1; };
      const file = new File([bytes(wav)], "recording.wav");
      const result = await inTime(vox.transcribe(file, { ...options, onDelta }), "transcribe");
      return { ...result, steps };
    },
    speak: (words, noise, options) => orRefusal(inTime(tab.spoken(words, noise, options), "speak")),
    async spoken(words, noise, options) {
      const given = noise && new Float32Array(bytes(noise).buffer);
      const stream = vox.speak(words, { ...options, noise: given });
      const chunks = [];
      for await (const chunk of stream) chunks.push(text(chunk));
      return { ...(await stream.result), chunks };
    },
    async tryFiles(files) {
      const outcomes = {};
      for (const [name, data] of Object.entries(files)) {
        const start = performance.now();
        const code = await inTime(vox.load(new File([bytes(data)], "model.gguf")), name)
          .then(() => "loaded", (error) => error.code ?? String(error));
        outcomes[name] = [code, performance.now() - start];
      }
      return outcomes;
    },
  };
}"""


class Tab:
    """A page with voxtab.js started in it. What it throws is raised here as VoxtabError too."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url + BARE_PAGE)
        page.evaluate(_SETUP, PATIENCE_MS)

    @property
    def worker(self) -> Worker:
        (worker,) = self.page.workers
        return worker

    def load(self, model: str) -> dict[str, Any]:
        """Load a model of the server's, by its id."""
        return _or_raise(self.page.evaluate("(model) => tab.load(model)", model))

    def transcribe(self, wav: bytes, **options: object) -> dict[str, Any]:
        """The transcript of a WAV file, with voxtab.js's options; `steps` counts the onDelta calls."""
        arguments = [base64.b64encode(wav).decode(), options]
        return _or_raise(self.page.evaluate("([wav, options]) => tab.transcribe(wav, options)", arguments))

    def speak(self, text: str, noise: Floats | None = None, **options: object) -> dict[str, Any]:
        """What became of a text, with voxtab.js's options; `chunks` are its samples as they came."""
        encoded = None if noise is None else base64.b64encode(noise.astype("<f4").tobytes()).decode()
        script = "([words, noise, options]) => tab.speak(words, noise, options)"
        spoken = _or_raise(self.page.evaluate(script, [text, encoded, options]))
        return spoken | {"chunks": [floats(chunk) for chunk in spoken["chunks"]]}

    def try_files(self, files: Mapping[str, bytes]) -> dict[str, tuple[str, float]]:
        """Load each as the user's own GGUF: its error's code ("loaded" without one), and milliseconds taken."""
        encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
        outcomes: dict[str, tuple[str, float]] = self.page.evaluate("(files) => tab.tryFiles(files)", encoded)
        return outcomes

    def heap_bytes(self) -> int:
        """Size of the WebAssembly heap, which never shrinks."""
        heap: int = self.page.evaluate("async () => (await vox.memory()).wasmHeapBytes")
        return heap


def _or_raise(answer: dict[str, Any]) -> dict[str, Any]:
    if "refusal" in answer:
        raise VoxtabError(*answer["refusal"])
    return answer


def floats(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), "<f4")


def traced(result: Mapping[str, Any]) -> dict[str, Floats]:
    """The stages of a result that was asked for its trace, rows of each."""
    found: dict[str, Any] = result["trace"]["stages"]
    return {name: floats(stage["base64"]).reshape(-1, stage["width"]) for name, stage in found.items()}


def stages(transcript: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """A transcript's trace as arrays, named and shaped as in the golden files (mel is band-major there)."""
    arrays: dict[str, npt.NDArray[Any]] = dict(traced(transcript))
    arrays["mel"] = arrays["mel"].T
    arrays["tokens_full"] = np.array(transcript["trace"]["tokens_full"], np.int32)
    return arrays
