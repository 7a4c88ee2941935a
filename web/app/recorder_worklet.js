// Runs on the audio thread: hands the sound on in blocks of a tenth of a second, mono, with the block's peak.

const BLOCK_SECONDS = 0.1;

class Tap extends AudioWorkletProcessor {
  #block = new Float32Array(Math.round(sampleRate * BLOCK_SECONDS));
  #filled = 0;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#send();
      this.#stopped = true;
      this.port.postMessage(null); // nothing more comes
    };
  }

  /** @param {Float32Array[][]} inputs @returns {boolean} whether to go on */
  process([channels]) {
    if (this.#stopped) return false;
    const frames = channels[0]?.length ?? 0;
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.#block[this.#filled++] = sum / channels.length;
      if (this.#filled === this.#block.length) this.#send();
    }
    return true;
  }

  #send() {
    const samples = this.#block.slice(0, this.#filled);
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    this.#filled = 0;
    this.port.postMessage({ samples, peak }, [samples.buffer]);
  }
}

registerProcessor("tap", Tap);
