// In main.js's place: the microphone and the transcript card with a client that hears what the test tells it to.
// fake.say(text, words, heardSeconds) is one update of the session; fake.fed is the sound that reached it.

import { DelaySlider } from "/app/delay_slider.js";
import { ErrorBanner } from "/app/error_banner.js";
import { VoxtabError } from "/app/errors.js";
import { Listening } from "/app/listening.js";
import { OneAtATime } from "/app/one_at_a_time.js";
import { Player } from "/app/player.js";
import { TranscriptView } from "/app/transcript.js";

class Live {
  #events = [];
  #wake = () => {};
  closed = false;
  result = new Promise((resolve, reject) => {
    this.settle = { resolve, reject };
  });

  constructor() {
    this.result.catch(() => {});
  }

  feed(samples) {
    if (fake.full) throw new VoxtabError("backlog-full", "Too much sound waits.", "Wait.");
    fake.fed.push(samples);
    fake.say("", [], fake.heard); // as the engine does after every step
  }

  async setDelay(ms) {
    fake.delays.push(ms);
  }

  close() {
    this.closed = true;
    return this.result;
  }

  tell(event) {
    this.#events.push(event);
    this.#wake();
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#events.length === 0) {
        await new Promise((wake) => {
          this.#wake = wake;
        });
      }
      const event = this.#events.shift();
      if (event instanceof Error) throw event;
      if (event === null) return;
      yield event;
    }
  }
}

const fake = {
  fed: [],
  delays: [],
  full: false,
  heard: 0,
  backlog: 0,
  kept: null,
  /** @type {Live | null} */
  live: null,
  options: null,
  get seconds() {
    return fake.fed.reduce((sum, { length }) => sum + length, 0) / 16000;
  },
  /** All samples so far, as numbers. */
  get samples() {
    return fake.fed.flatMap((block) => [...block]);
  },
  get blocks() {
    return fake.fed.map(({ length }) => length);
  },
  say(text, words, heardSeconds) {
    fake.heard = heardSeconds;
    const { seconds, backlog } = fake;
    fake.live.tell({ text, words, heardSeconds, fedSeconds: seconds, backlogSeconds: backlog, rtf: 0.25 });
  },
  finish() {
    fake.live.settle.resolve({ text: "", words: [], segments: [], stats: { rtf: 0.25, gpu_bytes: 5e6 } });
    fake.live.tell(null);
  },
  fail(code) {
    const error = new VoxtabError(code, "It is gone.", "Get another.");
    fake.live.settle.reject(error);
    fake.live.tell(error);
  },
};

const vox = {
  async listen({ signal, ...options }) {
    const live = new Live();
    signal.addEventListener("abort", () => live.tell(new VoxtabError("cancelled", "Cancelled.", "Again.")));
    Object.assign(fake, { live, options, fed: [], delays: [], heard: 0, backlog: 0, kept: null });
    return live;
  },
};
const engine = { open: async () => vox, loaded: () => ({}), showMemory: async () => {} };
const banner = new ErrorBanner();
const actions = new OneAtATime(banner);
const player = new Player({ onPlayable: (playable) => transcript.setPlayable(playable) });
const transcript = new TranscriptView({
  onCancel: () => actions.cancel(),
  onWord: (start) => player.playFrom(start),
  onDownload: async (words, format) => transcript.offerFile(JSON.stringify(words), format),
});
const delay = new DelaySlider({ onChange: (ms) => listening.setDelay(ms) });
const listening = new Listening({
  engine,
  actions,
  transcript,
  delay,
  onBegin: () => player.clear(),
  onKept: (recording) => {
    fake.kept = recording;
    player.show(recording.name, recording.file);
  },
  onError: (error) => banner.show(error),
});
actions.add(listening);
window.fake = fake;
