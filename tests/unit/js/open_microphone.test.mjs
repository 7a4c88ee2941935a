// The audio graph that hears a microphone, with browsers that give it none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openGraph } from "../../../web/app/open_microphone.js";

/** What the browser was asked for. @type {{rates: (number | undefined)[], closed: number}} */
let asked;

/** @param {{starts?: boolean, rate?: number}} browser rate: the only one at which it feeds a microphone into a graph */
function pretend({ starts = true, rate = 48000 }) {
  asked = { rates: [], closed: 0 };
  class AudioContext {
    audioWorklet = { addModule: async () => {} };

    /** @param {{sampleRate?: number}} options */
    constructor({ sampleRate }) {
      asked.rates.push(sampleRate);
      this.sampleRate = sampleRate ?? rate;
    }

    resume() {
      return starts ? Promise.resolve() : new Promise(() => {});
    }

    createMediaStreamSource() {
      if (this.sampleRate !== rate) throw new DOMException("another rate", "NotSupportedError");
      return "source";
    }

    close() {
      asked.closed++;
      return starts ? Promise.resolve() : new Promise(() => {});
    }
  }
  Object.assign(globalThis, { AudioContext });
}

const stream = /** @type {any} */ ({});

test("the graph has the engine's rate where the browser resamples", async () => {
  pretend({ rate: 16000 });
  assert.equal((await openGraph(stream)).context.sampleRate, 16000);
  assert.deepEqual(asked, { rates: [16000], closed: 0 });
});

test("and the microphone's where it does not", async () => {
  pretend({ rate: 44100 });
  assert.equal((await openGraph(stream)).context.sampleRate, 44100);
  assert.deepEqual(asked, { rates: [16000, undefined], closed: 1 });
});

test("audio that never starts is told after a while, and let go of", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  pretend({ starts: false });
  const told = assert.rejects(openGraph(stream), { code: "mic-absent", message: /did not start/, hint: /loudspeaker/ });
  t.mock.timers.tick(60_000);
  await told;
  assert.deepEqual(asked, { rates: [16000], closed: 1 });
});
