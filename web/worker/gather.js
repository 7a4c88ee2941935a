// Turns a stream of chunks into the byte ranges a loading plan asks for. A row may start in one chunk and end in
// another; it is then gathered in one scratch buffer, reused for all rows, since gpu.write copies before it returns.

import { VoxtabError } from "../app/errors.js";

const ROW = 5; // fileOffset, nbytes, bufferId, bufferOffset, programId or -1
const MAX_ROW_BYTES = 16 * 1024 * 1024;

/** @typedef {(bytes: Uint8Array<ArrayBuffer>, bufferId: number, bufferOffset: number, programId: number) => void} Emit */

export class RowGather {
  #plan;
  #emit;
  #row = 0;
  #filled = 0;
  /** @type {Uint8Array<ArrayBuffer>} */
  #scratch;

  /**
   * @param {Float64Array} plan rows of 5, sorted by file offset, not overlapping
   * @param {number} streamBytes
   * @param {Emit} emit receives each row once, in order, zero-padded to a multiple of 4 bytes; the bytes are only
   *   valid during the call
   */
  constructor(plan, streamBytes, emit) {
    let end = 0;
    let longest = 0;
    for (let i = 0; i < plan.length; i += ROW) {
      const [offset, bytes] = plan.subarray(i, i + 2);
      const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) && bytes > 0;
      if (!sound || offset < end || bytes > MAX_ROW_BYTES || offset + bytes > streamBytes) {
        throw new VoxtabError(
          "internal",
          `The loading plan's row ${i / ROW} (${offset}, ${bytes}) is not usable.`,
        );
      }
      end = offset + bytes;
      longest = Math.max(longest, bytes);
    }
    if (plan.length % ROW !== 0) throw new VoxtabError("internal", "The loading plan has a row cut short.");
    this.#plan = plan;
    this.#emit = emit;
    this.#scratch = new Uint8Array(padded(longest));
  }

  /** @returns {boolean} whether every row has been emitted */
  get done() {
    return this.#row * ROW >= this.#plan.length;
  }

  /** @param {number} offset @param {number} bytes @returns {boolean} whether a row still to come needs the range */
  wants(offset, bytes) {
    for (let i = this.#row * ROW; i < this.#plan.length && this.#plan[i] < offset + bytes; i += ROW) {
      if (this.#plan[i] + this.#plan[i + 1] > offset) return true;
    }
    return false;
  }

  /**
   * Takes the next chunk. Chunks come in ascending order; one that no row wants may be left out.
   * @param {number} offset where the chunk starts in the stream
   * @param {Uint8Array<ArrayBuffer>} chunk
   */
  push(offset, chunk) {
    const end = offset + chunk.length;
    while (!this.done) {
      const [rowOffset, rowBytes, bufferId, bufferOffset, programId] = this.#plan.subarray(
        this.#row * ROW,
        this.#row * ROW + ROW,
      );
      const start = rowOffset + this.#filled;
      if (start >= end) return;
      if (start < offset) throw new VoxtabError("internal", `Bytes ${start} to ${offset} never arrived.`);
      const piece = chunk.subarray(start - offset, Math.min(rowOffset + rowBytes, end) - offset);
      if (piece.length === rowBytes && rowBytes % 4 === 0) {
        this.#emit(piece, bufferId, bufferOffset, programId);
      } else {
        this.#scratch.set(piece, this.#filled);
        this.#filled += piece.length;
        if (this.#filled < rowBytes) return;
        this.#scratch.fill(0, rowBytes, padded(rowBytes));
        this.#emit(this.#scratch.subarray(0, padded(rowBytes)), bufferId, bufferOffset, programId);
      }
      this.#filled = 0;
      this.#row++;
    }
  }
}

/** @param {number} bytes */
function padded(bytes) {
  return Math.ceil(bytes / 4) * 4;
}
