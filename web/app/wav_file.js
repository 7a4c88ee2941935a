// Samples as a WAV file, so that a recording from the microphone can be played like any other.

const HEADER_BYTES = 44;

/**
 * @param {Float32Array} pcm mono, -1..1; what lies beyond is clipped
 * @param {number} sampleRate in Hz
 * @returns {Blob} RIFF WAVE, 16-bit PCM
 */
export function wavFile(pcm, sampleRate) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const dataBytes = 2 * pcm.length;
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
  const data = new DataView(new ArrayBuffer(dataBytes));
  for (let i = 0; i < pcm.length; i++) {
    data.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(32768 * pcm[i]))), true);
  }
  return new Blob([header, data], { type: "audio/wav" });
}
