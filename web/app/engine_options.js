// Options by the names that Python knows them under (web/voxtab/tab), set ones only.

/** @param {import("./voxtab_types.js").TranscribeOptions} options @returns {Record<string, unknown>} */
export function transcribeOptions(options) {
  return setOnes({
    delay_ms: options.delayMs,
    normalize_peak: options.normalizePeak,
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
    kv_window: options.kvWindow,
    left_pad_tokens: options.leftPadTokens,
    chunk_ms: options.chunkMs,
    submit_ms: options.submitMs,
    cache: options.cache,
    trace: options.trace,
  });
}

/** @param {import("./voxtab_types.js").SpeakOptions} options @returns {Record<string, unknown>} */
export function speakOptions(options) {
  return setOnes({
    voice: options.voice,
    euler_steps: options.eulerSteps,
    cfg_alpha: options.guidance,
    seed: options.seed,
    submit_ms: options.submitMs,
    cache: options.cache,
    trace: options.trace,
  });
}

/** @param {import("./voxtab_types.js").ListenOptions} options @returns {Record<string, unknown>} */
export function listenOptions(options) {
  return setOnes({
    delay_ms: options.delayMs,
    kv_window: options.kvWindow,
    submit_ms: options.submitMs,
    segment_s: options.segmentSeconds,
    cache: options.cache,
    stepwise: options.stepwise,
  });
}

/** @param {Record<string, unknown>} named */
function setOnes(named) {
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
