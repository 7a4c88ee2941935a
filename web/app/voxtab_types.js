// The shapes that voxtab.js takes and gives.

export {};

/**
 * @typedef {object} Model an entry of /api/models; `manifest` or `files` is enough if you make one yourself
 * @property {string} [id]
 * @property {string} name
 * @property {Task | null} [task]
 * @property {string} [kind] "manifest", "shards", "gguf" or "gguf-split"
 * @property {number} [bytes]
 * @property {boolean} [default]
 * @property {string | null} [licence]
 * @property {string | null} [description]
 * @property {string | null} [manifest] URL of its manifest.json
 * @property {{name: string, url: string, bytes: number}[]} [files]
 * @property {string | null} [tokenizer] URL of a tekken.json, for a GGUF that holds no tokenizer
 *
 * @typedef {{where: string, code: string, message: string, hint: string}} Problem a model the server cannot offer
 *
 * @typedef {import("../worker/progress.js").Progress} Progress
 *
 * @typedef {"speech-to-text" | "text-to-speech"} Task
 *
 * @typedef {object} Loaded
 * @property {string} name
 * @property {Task} task
 * @property {number} gpu_bytes in use, by all models
 * @property {{name: string, language: string, rows: number}[]} [voices] of a speech model; language: BCP 47, rows: of
 *   80 ms, that the voice takes of the prompt
 * @property {string} [voice_license] of its voices; empty where its file does not say
 * @property {number} [steps] the flow's steps that it was made for
 * @property {number} [text_limit] characters that it speaks at once
 * @property {{name: string, bytes: number, verified: boolean, cache: {state: string, reason: string}}} source
 *   verified: whether every byte was held against a manifest's SHA-256. cache.state: "complete" (kept for the next
 *   visit), "local" (the user's own file) or "off", with the reason: "quota-full", "busy" (another tab has it),
 *   "no-identity" (no manifest and no ETag), "unsupported" or "failed"
 *
 * @typedef {{text: string, start: number, end: number}} Word times in seconds
 *
 * @typedef {object} Transcript
 * @property {string} text
 * @property {number[]} tokens ids, without the end token
 * @property {Word[]} words
 * @property {Stats} stats
 * @property {Trace} [trace] when asked for
 *
 * @typedef {object} Stats
 * @property {number} audio_s
 * @property {number} encode_ms
 * @property {number} decode_ms
 * @property {number} tokens_per_s
 * @property {number} rtf time taken / length of the audio
 * @property {number} gpu_bytes
 * @property {string} adapter
 * @property {{submits: number, readbacks: number, calls: number}} counters what went to the GPU: submits of work,
 *   readbacks of results, calls from Python to JavaScript
 *
 * @typedef {object} Trace to hold the engine against a reference
 * @property {Record<string, {width: number, base64: string}>} stages "mel", "conv_out", "enc_out", "adapter_out" and
 *   "logits": rows of `width` little-endian float32
 * @property {number[]} tokens_full every token, those behind an end token too
 *
 * @typedef {object} LoadOptions
 * @property {(progress: Progress) => void} [onProgress]
 * @property {AbortSignal | null} [signal]
 *
 * @typedef {object} TranscribeOptions
 * @property {number} [delayMs] how far the text may lag behind the sound: 80 to 1200 in steps of 80, or 2400
 * @property {(text: string, at: {doneSeconds: number, seconds: number}) => void} [onDelta] text as it is decoded
 * @property {boolean} [normalizePeak] bring quiet recordings to full level first
 * @property {number} [maxTokens] stop after so many tokens, of 80 ms each
 * @property {number} [temperature] 0, the default, is greedy
 * @property {number} [seed] for a temperature above 0
 * @property {number} [kvWindow] past positions the decoder keeps; less is less memory
 * @property {number} [leftPadTokens] silence before the sound, in tokens of 80 ms
 * @property {number} [chunkMs] feed the sound in pieces of this length, as a live source would; 0, the default: at once
 * @property {number} [submitMs] about how long one submit may keep the GPU busy; 200 is the default
 * @property {"f16" | "f32"} [cache] how keys and values are kept; "f16" is the default
 * @property {boolean} [trace] add what every stage computed to the result; slow, and for short recordings
 * @property {(progress: Progress) => void} [onProgress] of loading again, when the GPU had been lost
 * @property {AbortSignal | null} [signal]
 *
 * @typedef {object} SpeakOptions
 * @property {string} [voice] one of vox.voices; the first by default
 * @property {number} [eulerSteps] of the flow, for each frame of 80 ms: 7 is what the model was made for, 3 is fast
 * @property {number} [guidance] how strongly the text leads, 1.2 by default; 1 takes half the work
 * @property {number} [seed] the same one says the same; 0 is the default
 * @property {"f16" | "f32"} [cache] how keys and values are kept; "f16" is the default
 * @property {number} [submitMs] about how long one submit may keep the GPU busy; 200 is the default
 * @property {Float32Array} [noise] in place of the seed's, a row of acoustic codes a frame; speech ends where it ends
 * @property {boolean} [trace] add what every stage computed to the result; slow, and for short texts
 * @property {(progress: Progress) => void} [onProgress] of loading again, when the GPU had been lost
 * @property {AbortSignal | null} [signal]
 *
 * @typedef {object} SpeechResult
 * @property {number[][]} codes of every frame: a semantic one, then the acoustic ones
 * @property {number} frames
 * @property {number} cut_short utterances that came to the limit of their length instead of an end
 * @property {SpeechStats} stats
 * @property {{stages: Trace["stages"]}} [trace] when asked for: "prompt_embeds", "prompt_hidden", "prompt_layer_out.N",
 *   and a frame's "hidden", "semantic_logits", "x", "velocity" and "next_embeds"
 *
 * @typedef {object} SpeechStats
 * @property {number} audio_s
 * @property {number} frames
 * @property {number} utterances a long text is spoken in several
 * @property {number} first_audio_ms from the call to the first sound
 * @property {number} prompt_ms
 * @property {number} backbone_ms
 * @property {number} flow_ms
 * @property {number} codec_ms
 * @property {number} rtf time taken / length of the sound
 * @property {number} gpu_bytes
 * @property {string} adapter
 * @property {Stats["counters"]} counters
 *
 * @typedef {object} ListenOptions
 * @property {number} [delayMs] how far the text may lag behind the sound: 80 to 1200 in steps of 80, or 2400
 * @property {number} [kvWindow] past positions the decoder keeps; less is less memory
 * @property {"f16" | "f32"} [cache] how keys and values are kept; "f16" is the default
 * @property {number} [submitMs] about how long one submit may keep the GPU busy; 200 is the default
 * @property {number} [segmentSeconds] after which the model begins anew, at the next pause; 600 is the default
 * @property {boolean} [stepwise] work on the sound only when `step()` is called; else that goes by itself
 * @property {(text: string, heard: Heard) => void} [onDelta] as an iteration would get it, without iterating: for one that
 *   begins later nothing is kept then
 * @property {(progress: Progress) => void} [onProgress] of loading again, when the GPU had been lost
 * @property {AbortSignal | null} [signal]
 *
 * @typedef {object} Heard what is new
 * @property {string} text to append; may be empty
 * @property {Word[]} words finished, in seconds of the whole stream
 * @property {number[]} tokens ids behind the text, special ones included: one for each 80 ms
 * @property {number} heardSeconds of sound behind the text so far
 * @property {number} fedSeconds
 * @property {number} backlogSeconds of sound that no work has begun on
 * @property {number} rtf work on the GPU / length of the sound, so far
 *
 * @typedef {object} ListenResult
 * @property {string} text
 * @property {Word[]} words
 * @property {{start: number, end: number, delay_ms: number, text: string}[]} segments runs of the model, one after the
 *   other; start and end in seconds of the stream
 * @property {Stats & {heard_s: number, backlog_s: number, segments: number}} stats rtf: work on the GPU / length of the sound
 *
 * @typedef {{name: string, vendor: string, architecture: string, software: boolean, maxBindingBytes: number,
 *   maxBufferBytes: number, memoryBytes: number | null, features: string[]}} Adapter software: a CPU posing as a GPU.
 *   memoryBytes: of the GPU's own, where the browser tells
 * @typedef {import("../worker/boot.js").BootProgress} BootProgress
 */
