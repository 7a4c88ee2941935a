// Sound that is played while it is still being made: what arrives goes in, what the loudspeaker needs comes out.
//
// It never clicks: whatever begins or ends (start, pause, seek, running dry, the end) goes through a gain that moves
// evenly over `fade` samples. For this the queue does not give away its last `fade` samples at full level before it
// knows what follows them. When sound is made slower than it is played, there have to be gaps; each doubles what must be
// there before it goes on, so that they become few rather than many.

/**
 * @typedef {object} Lengths all in samples
 * @property {number} fade how long a beginning or an end takes
 * @property {number} start how much must be there before it begins, unless that is all
 * @property {number} most how much it waits for at most after gaps
 *
 * @typedef {"waiting" | "playing" | "paused" | "ended"} PlayState waiting: for more sound
 *
 * What crosses over to the audio thread, and back:
 * @typedef {{load: number, take: number} | {push: Float32Array} | "complete" | "play" | "pause"} Order load: the
 *   position of the first sample that follows; take: a number that reports about it carry
 * @typedef {{take: number, state: PlayState, position: number, gaps: number, silent: boolean}} Report position: in
 *   samples
 */

/** Chunks of one sound, from some position of it on. */
class Tape {
  /** @type {Float32Array[]} */
  #chunks = [];
  #head = 0;
  /** Samples that are there. */
  length = 0;
  /** Whether nothing more comes. */
  complete = false;

  /** @param {number} position of the next sample in the whole sound */
  constructor(position) {
    this.position = position;
  }

  /** @param {Float32Array} chunk */
  push(chunk) {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.length += chunk.length;
  }

  /** @returns {number} the next sample; there must be one */
  take() {
    const chunk = this.#chunks[0];
    const sample = chunk[this.#head++];
    if (this.#head === chunk.length) {
      this.#chunks.shift();
      this.#head = 0;
    }
    this.length--;
    this.position++;
    return sample;
  }
}

export class PlayQueue {
  #lengths;
  /** What is heard. */
  #tape = new Tape(0);
  /** What is heard once #tape has faded out. @type {Tape | null} */
  #next = null;
  #wanted = false;
  #gain = 0;
  /** Whether there was enough to begin, and there has been ever since. */
  #flowing = false;
  #enough;
  #dry = false;
  /** How often it ran dry and went on since the last load(). */
  gaps = 0;

  /** @param {Lengths} lengths */
  constructor(lengths) {
    this.#lengths = lengths;
    this.#enough = lengths.start;
  }

  /**
   * Begins another sound, or the same at another place; what is heard fades out first.
   * @param {number} position of the first sample that will be pushed
   */
  load(position) {
    this.#next = new Tape(position);
    this.gaps = 0;
    this.#dry = false;
    this.#enough = this.#lengths.start;
  }

  /** @param {Float32Array} chunk the samples that follow; kept, not copied */
  push(chunk) {
    (this.#next ?? this.#tape).push(chunk);
  }

  /** Nothing more comes. */
  complete() {
    (this.#next ?? this.#tape).complete = true;
  }

  play() {
    this.#wanted = true;
  }

  pause() {
    this.#wanted = false;
  }

  /** @returns {number} how many samples of the sound lie before what is heard next */
  get position() {
    return (this.#next ?? this.#tape).position;
  }

  /** @returns {PlayState} */
  get state() {
    if (this.#next === null && this.#over) return "ended";
    if (!this.#wanted) return "paused";
    return this.#next === null && this.#flowing ? "playing" : "waiting";
  }

  /** @returns {boolean} whether nothing is heard and nothing will be before something is asked for */
  get silent() {
    const { state } = this;
    return this.#gain === 0 && this.#next === null && (state === "paused" || state === "ended");
  }

  /** @param {Float32Array} block filled with what is heard next */
  pull(block) {
    const step = 1 / this.#lengths.fade;
    for (let i = 0; i < block.length; i++) {
      this.#turn();
      const rising = this.#wanted && this.#next === null && this.#flowing && !this.#closing;
      this.#gain = rising ? Math.min(1, this.#gain + step) : Math.max(0, this.#gain - step);
      // The end of a sound is played out even where its fade has got to nothing.
      const moving = this.#gain > 0 || (this.#flowing && this.#wanted && this.#closing);
      block[i] = moving && this.#tape.length > 0 ? this.#gain * this.#tape.take() : 0;
      if (this.#tape.length === 0) this.#gain = 0;
    }
    this.#turn();
  }

  /** Whether what is left is only enough to fade out over. */
  get #closing() {
    return this.#tape.length <= this.#lengths.fade;
  }

  get #over() {
    return this.#tape.complete && this.#tape.length === 0;
  }

  /** Brings the state up to date with what is there. */
  #turn() {
    if (this.#next !== null && this.#gain === 0) {
      this.#tape = this.#next;
      this.#next = null;
      this.#flowing = false;
    }
    if (this.#next !== null || !this.#wanted) return;
    const { length, complete } = this.#tape;
    if (!this.#flowing) {
      this.#flowing = length >= this.#enough || (complete && length > 0);
      if (this.#flowing && this.#dry && !this.#closing) this.gaps++;
      if (this.#flowing) this.#dry = false;
    } else if (!complete && this.#closing) {
      this.#flowing = false;
      this.#dry = true;
      this.#enough = Math.min(2 * this.#enough, this.#lengths.most);
    }
  }
}
