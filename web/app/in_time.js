// Waiting for an AudioContext, which for want of an audio output may never start: Firefox wants one even to listen.

const START_MS = 4000;

/** @template T @param {T | Promise<T>} starting @returns {Promise<T>} rejects with an AudioLate when it takes too long */
export function inTime(starting) {
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, START_MS, new AudioLate());
  });
  return Promise.race([starting, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}

export class AudioLate extends Error {
  message = "The audio did not start.";
}
