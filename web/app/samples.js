// The recorded samples that the server has for trying the page: which there are, and their sound.

import { asVoxtabError, VoxtabError } from "./errors.js";

/**
 * @typedef {object} Sample an entry of samples.json; all are single lines of text
 * @property {string} file its WAV file, beside samples.json
 * @property {string} title
 * @property {string} voice who speaks
 * @property {string} text what is said: words in lower case with single spaces between
 * @property {string} licence of the recording, and where it comes from
 */

const FORMAT = "voxtab-samples";
const VERSION = 1;
const MOST = 12;
/** What each field of a sample has to be. @type {Record<string, RegExp>} */
const FIELDS = {
  file: /^[a-z0-9]+(-[a-z0-9]+)*\.wav$/,
  title: /^\P{Cc}{1,40}$/u,
  voice: /^\P{Cc}{1,60}$/u,
  text: /^[a-z']+( [a-z']+)*$/,
  licence: /^\P{Cc}{1,200}$/u,
};

const FOLDER = new URL("../samples/", import.meta.url);

/**
 * @param {URL} [folder] where samples.json lies
 * @returns {Promise<Sample[]>}
 * @throws {VoxtabError} audio-undecodable when there is no list, internal when it is not as it should be
 */
export async function listSamples(folder = FOLDER) {
  return checkSamples(await (await ask(new URL("samples.json", folder))).text());
}

/**
 * @param {Sample} sample
 * @param {AbortSignal} [signal]
 * @param {URL} [folder] where its file lies
 * @returns {Promise<File>} as if it had been dropped on the page
 * @throws {VoxtabError} audio-undecodable or cancelled
 */
export async function fetchSample({ file }, signal, folder = FOLDER) {
  const response = await ask(new URL(file, folder), signal);
  try {
    return new File([await response.blob()], file, { type: "audio/wav" });
  } catch (thrown) {
    throw signal?.aborted ? asVoxtabError(thrown) : unreachable(file);
  }
}

/**
 * @param {string} text of samples.json
 * @returns {Sample[]}
 * @throws {VoxtabError} internal
 */
export function checkSamples(text) {
  let list = null;
  try {
    list = JSON.parse(text);
  } catch {
    throw unusable("it is not JSON");
  }
  if (list?.format !== FORMAT || list.version !== VERSION) {
    throw unusable(`it is not a list of format ${FORMAT}, version ${VERSION}`);
  }
  const { samples } = list;
  if (!Array.isArray(samples) || samples.length === 0 || samples.length > MOST) {
    throw unusable(`it does not list 1 to ${MOST} samples`);
  }
  return samples.map((sample, i) => {
    const checked = Object.entries(FIELDS).map(([name, pattern]) => {
      const value = sample?.[name];
      if (typeof value === "string" && pattern.test(value)) return [name, value];
      throw unusable(`the ${name} of sample ${i + 1} is ${JSON.stringify(value) ?? "missing"}`);
    });
    return /** @type {Sample} */ (Object.fromEntries(checked));
  });
}

/** @param {URL} url @param {AbortSignal} [signal] @returns {Promise<Response>} */
async function ask(url, signal) {
  let response = null;
  try {
    response = await fetch(url, { cache: "no-cache", signal });
  } catch (thrown) {
    if (signal?.aborted) throw asVoxtabError(thrown);
  }
  if (response?.ok) return response;
  throw unreachable(url.pathname.split("/").pop() ?? "", response?.status);
}

/** @param {string} file @param {number} [status] */
function unreachable(file, status) {
  return new VoxtabError(
    "audio-undecodable",
    `${file} could not be read from the server${status ? ` (HTTP ${status})` : ""}.`,
    "Check that the server is running, then try again.",
  );
}

/** @param {string} why */
function unusable(why) {
  return new VoxtabError(
    "internal",
    `samples.json is not usable: ${why}.`,
    "Fetch web/samples anew, or see its README.md.",
  );
}
