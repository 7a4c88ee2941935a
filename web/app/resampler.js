// Sound at another sample rate, chunk by chunk without seams: for audio outputs that refuse the rate of the speech.
//
//   y[n] = sum_k x[k] h(n * from / to - k),  h: a sinc cut at the lower of both rates, under a Kaiser window of REACH
//                                            zero crossings to each side
// The positions n * from / to repeat after to / gcd(from, to) samples: so many rows of weights are all there are.

const REACH = 24;
/** Of the Kaiser window: about 80 dB down beyond the cut. */
const BETA = 8;
/** Share of the lower Nyquist frequency that is kept. */
const PASS = 0.94;

export class Resampler {
  #up;
  #down;
  /** Samples of x to each side of a position that matter. */
  #reach;
  #rows;
  /** x from #start on, as far as it is still needed. @type {Float32Array} */
  #pending;
  #start;
  #given = 0;
  #n = 0;

  /** @param {number} from Hz of what comes in @param {number} to Hz of what goes out; both whole */
  constructor(from, to) {
    const divisor = gcd(from, to);
    this.#up = to / divisor;
    this.#down = from / divisor;
    const cut = PASS * Math.min(1, to / from);
    this.#reach = Math.ceil(REACH / cut);
    this.#rows = Array.from({ length: this.#up }, (_, phase) => weights(phase / this.#up, cut, this.#reach));
    this.#pending = new Float32Array(this.#reach); // silence before the beginning
    this.#start = -this.#reach;
  }

  /** @param {Float32Array} chunk @returns {Float32Array<ArrayBuffer>} what is settled by now, `reach` samples behind */
  push(chunk) {
    this.#given += chunk.length;
    return this.#run(chunk);
  }

  /** @returns {Float32Array<ArrayBuffer>} the rest: with it, ceil(samples in * to / from) came out in all */
  flush() {
    return this.#run(new Float32Array(this.#reach + 1), Math.ceil((this.#given * this.#up) / this.#down));
  }

  /** @param {Float32Array} chunk @param {number} [limit] of samples in all */
  #run(chunk, limit = Infinity) {
    const x = new Float32Array(this.#pending.length + chunk.length);
    x.set(this.#pending);
    x.set(chunk, this.#pending.length);
    const end = this.#start + x.length;
    /** @type {number[]} */
    const out = [];
    for (; this.#n < limit; this.#n++) {
      const whole = Math.floor((this.#n * this.#down) / this.#up);
      if (whole + this.#reach >= end) break;
      const row = this.#rows[(this.#n * this.#down) % this.#up];
      const first = whole - this.#reach + 1 - this.#start;
      let sum = 0;
      for (let k = 0; k < row.length; k++) sum += row[k] * x[first + k];
      out.push(sum);
    }
    const keep = Math.floor((this.#n * this.#down) / this.#up) - this.#reach + 1;
    this.#pending = x.slice(keep - this.#start);
    this.#start = keep;
    return Float32Array.from(out);
  }
}

/** @param {number} at 0..1 past a sample @param {number} cut @param {number} reach @returns {Float64Array} sums to 1 */
function weights(at, cut, reach) {
  const row = Float64Array.from({ length: 2 * reach }, (_, k) => {
    const x = at - (k - reach + 1);
    const edge = Math.max(0, 1 - (x / reach) ** 2);
    return sinc(cut * x) * bessel(BETA * Math.sqrt(edge));
  });
  const sum = row.reduce((a, b) => a + b);
  return row.map((weight) => weight / sum);
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of order 0. @param {number} x */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** @param {number} a @param {number} b @returns {number} */
function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
}
