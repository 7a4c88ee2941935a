// The one error a user can meet, the same on both sides of the worker: a code for programs, a sentence on what
// happened, a sentence on what to do. The codes are those of web/voxtab/errors.py.

/** @typedef {{code: string, message: string, hint: string}} PlainError */

export class VoxtabError extends Error {
  /** What a transcription or a stream had written when it ended with this error. */
  partialText = "";

  /**
   * @param {string} code kebab-case and stable
   * @param {string} message what happened
   * @param {string} [hint] what to do about it
   * @param {unknown} [cause]
   */
  constructor(code, message, hint = "", cause = undefined) {
    super(message, { cause });
    this.name = "VoxtabError";
    this.code = code;
    this.hint = hint;
  }

  /** @returns {PlainError} the form that crosses postMessage */
  toPlain() {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

/**
 * Anything thrown, as a VoxtabError. Objects carrying a code and a message (ours, after a trip through Python or
 * postMessage) keep them; everything else is "internal".
 * @param {unknown} thrown
 * @returns {VoxtabError}
 */
export function asVoxtabError(thrown) {
  if (thrown instanceof VoxtabError) return thrown;
  const { name, code, message, hint } = /** @type {Record<string, unknown>} */ (Object(thrown));
  if (code === "cancelled" || name === "AbortError") return cancelled();
  if (typeof code === "string" && typeof message === "string") {
    return new VoxtabError(code, message, typeof hint === "string" ? hint : "", thrown);
  }
  return new VoxtabError(
    "internal",
    `Something went wrong inside voxtab: ${typeof message === "string" && message ? message : String(thrown)}`,
    "Try again; if it happens again, reload the page and report it with this message.",
    thrown,
  );
}

/** @returns {VoxtabError} */
export function cancelled() {
  return new VoxtabError("cancelled", "Cancelled.", "Start again whenever you like.");
}

/** @param {AbortSignal | null | undefined} signal @throws {VoxtabError} "cancelled" when the signal has fired */
export function throwIfCancelled(signal) {
  if (signal?.aborted) throw cancelled();
}

/**
 * Runs a public method: whatever goes wrong in it, a mistake of the caller's too, rejects with a VoxtabError.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function orVoxtabError(work) {
  try {
    return await work();
  } catch (thrown) {
    throw asVoxtabError(thrown);
  }
}

/** @param {unknown} signal @throws {VoxtabError} option-invalid */
export function checkSignal(signal) {
  if (signal === undefined || signal === null || signal instanceof AbortSignal) return;
  throw new VoxtabError("option-invalid", "signal is no AbortSignal.", "Use that of an AbortController.");
}
