// In main.js's place: the speech card alone, with a client that makes what the test tells it to. fake.give(seconds) is
// a tone of 440 Hz that goes on where the last one ended.

import { ErrorBanner } from "/app/error_banner.js";
import { asVoxtabError, VoxtabError } from "/app/errors.js";
import { SpeakPanel } from "/app/speak_panel.js";

const VOICES = [
  { name: "casual_female", language: "en", rows: 214 },
  { name: "neutral_male", language: "en", rows: 169 },
  { name: "fr_male", language: "fr", rows: 97 },
];

class Speech {
  #waiting = [];
  #events = [];
  result = new Promise((resolve, reject) => {
    this.settle = { resolve, reject };
  });

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#match();
    });
  }

  /** @param {(waiting: {resolve: Function, reject: Function}) => void} event */
  tell(event) {
    this.#events.push(event);
    this.#match();
  }

  #match() {
    while (this.#waiting.length > 0 && this.#events.length > 0) this.#events.shift()(this.#waiting.shift());
  }
}

const fake = {
  /** @type {{text: string, options: object}[]} */
  calls: [],
  given: 0,
  /** Done before the work begins. @type {(() => void) | null} */
  before: null,
  /** @type {Speech | null} */
  speech: null,
  speak(text, { signal, ...options }) {
    const speech = new Speech();
    Object.assign(fake, { speech, given: 0 });
    fake.calls.push({ text, options });
    signal.addEventListener("abort", () => fake.fail("cancelled", "Cancelled."));
    return speech;
  },
  give(seconds) {
    const start = fake.given;
    const chunk = Float32Array.from({ length: Math.round(24000 * seconds) }, (_, i) => fake.sample(start + i));
    fake.given += chunk.length;
    fake.speech.tell(({ resolve }) => resolve({ value: chunk, done: false }));
  },
  sample: (i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 24000),
  finish() {
    const audio_s = fake.given / 24000;
    const frames = Math.floor(fake.given / 1920);
    const codes = Array.from({ length: frames }, (_, i) => [100 + i, 2, 3]);
    fake.speech.settle.resolve({ codes, stats: { audio_s, first_audio_ms: 61.4, rtf: 0.5, frames } });
    fake.speech.tell(({ resolve }) => resolve({ value: undefined, done: true }));
  },
  fail(code, message) {
    const error = new VoxtabError(code, message, "Do something about it.");
    fake.speech.settle.reject(error);
    fake.speech.tell(({ reject }) => reject(error));
  },
};

const banner = new ErrorBanner();
let controller = null;
const panel = new SpeakPanel({
  async run(work) {
    banner.clear();
    controller = new AbortController();
    panel.setBusy(true);
    try {
      fake.before?.();
      await work(fake, controller.signal);
    } catch (thrown) {
      banner.show(asVoxtabError(thrown));
    } finally {
      panel.setBusy(false);
    }
  },
  onCancel: () => controller?.abort(),
  onError: (error) => banner.show(error),
});
panel.setModel({ voices: VOICES, voice_license: "CC-BY-NC-4.0", text_limit: 200 });
window.fake = fake;
window.panel = panel;
