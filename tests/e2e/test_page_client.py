"""voxtab.js under callers who change their mind at once, or pass what is neither sound nor a model."""

from __future__ import annotations

import pytest

from tests.e2e.tab import Tab

# One second of silence is transcribed until the signal fires; then the same sound without one.
CANCEL = """async (wait) => {
  const pcm = new Float32Array(16000);
  const controller = new AbortController();
  const first = vox.transcribe(pcm, { signal: controller.signal }).then(() => "finished", ({ code }) => code);
  if (wait === null) controller.abort();
  else setTimeout(() => controller.abort(), wait);
  const outcome = await first;
  return [outcome, await vox.transcribe(pcm).then(({ tokens }) => tokens.length > 0, ({ code }) => code)];
}"""
MISUSES = {
    "no sound": "vox.transcribe()",
    "sound as text": "vox.transcribe('speech.wav')",
    "sound as integers": "vox.transcribe(new Int16Array(16000))",
    "sound as null options": "vox.transcribe(null, null)",
    "a number to decode": "vox.decode(7)",
    "a signal that is none": "vox.transcribe(new Float32Array(16000), { signal: {} })",
    "an option that cannot be sent": "vox.transcribe(new Float32Array(16000), { delayMs: () => 480 })",
    "no model": "vox.load()",
    "a number for a model": "vox.load(7, null)",
    "files that are none": "vox.load(['shard-aa'])",
    "an address that is none": "vox.load({ name: 'x', manifest: 'https://' })",
    "a list of files that is none": "vox.load({ name: 'x', files: 7 })",
}
REFUSAL = """async () => {
  const { VoxtabError } = await import("/app/voxtab.js");
  const error = await CALL.then(() => null, (error) => error);
  return [error instanceof VoxtabError, error?.code, Boolean(error?.message && error?.hint)];
}"""


@pytest.fixture(scope="module")
def model(tab: Tab) -> Tab:
    tab.load("asr-tiny-q4_0")
    return tab


@pytest.mark.parametrize("wait_ms", [None, 0, 5])
def test_a_cancel_right_after_the_call_ends_it_and_not_the_next(model: Tab, wait_ms: int | None) -> None:
    assert model.page.evaluate(CANCEL, wait_ms) == ["cancelled", True]


@pytest.mark.parametrize("misuse", MISUSES)
def test_wrong_arguments_reject_with_a_voxtab_error_that_says_so(tab: Tab, misuse: str) -> None:
    script = REFUSAL.replace("CALL", MISUSES[misuse])
    assert tab.page.evaluate(script) == [True, "option-invalid", True]
