// Samples as a WAV file (RIFF WAVE, 16-bit PCM, mono), so that what was made or heard can be played and kept.

const HEADER_BYTES = 44;

/**
 * @param {Float32Array} pcm mono, -1..1; what lies beyond is clipped
 * @param {number} sampleRate in Hz
 * @returns {Blob}
 */
export function wavFile(pcm, sampleRate) {
  return new Blob([wavHeader(pcm.length, sampleRate), pcm16(pcm)], { type: "audio/wav" });
}

/** @param {number} samples how many follow it @param {number} sampleRate in Hz @returns {ArrayBuffer} */
export function wavHeader(samples, sampleRate) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const dataBytes = 2 * samples;
  const text = (/** @type {number} */ at, /** @type {string} */ word) => {
    for (let i = 0; i < word.length; i++) header.setUint8(at + i, word.charCodeAt(i));
  };
  text(0, "RIFF");
  header.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // bytes of the format that follow
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, 2 * sampleRate, true); // bytes a second
  header.setUint16(32, 2, true); // bytes a frame
  header.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  header.setUint32(40, dataBytes, true);
  return header.buffer;
}

/** @param {Float32Array} pcm -1..1; what lies beyond is clipped @returns {ArrayBuffer} little-endian 16-bit samples */
export function pcm16(pcm) {
  const data = new DataView(new ArrayBuffer(2 * pcm.length));
  for (let i = 0; i < pcm.length; i++) {
    data.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(32768 * pcm[i]))), true);
  }
  return data.buffer;
}
