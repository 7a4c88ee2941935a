// From whatever names a model to what the worker opens.

import { VoxtabError } from "./errors.js";

/** @typedef {import("./voxtab_types.js").Model} Model */
/** @typedef {import("./voxtab_types.js").Problem} Problem */

/**
 * What this server offers, and what it found but cannot offer.
 * @returns {Promise<{models: Model[], problems: Problem[]}>}
 * @throws {VoxtabError} model-unreachable
 */
export async function catalogue() {
  let response = null;
  try {
    response = await fetch(new URL("../api/models", import.meta.url), { cache: "no-cache" });
    const found = response.ok ? await response.json() : null;
    if (Array.isArray(found?.models)) return { problems: [], ...found };
  } catch {
    // told below
  }
  throw new VoxtabError(
    "model-unreachable",
    `The server's list of models could not be read${response ? ` (HTTP ${response.status})` : ""}.`,
    "Check that the server is running, then reload the page.",
  );
}

/**
 * @param {Model | string | File | File[]} model
 * @returns {Promise<Model | File[]>} addresses are absolute: the worker's own is not the page's
 * @throws {VoxtabError} option-invalid, model-missing, model-unreachable
 */
export async function findModel(model) {
  if (Array.isArray(model)) {
    if (!model.every((file) => file instanceof File)) throw notAModel();
    return model;
  }
  if (model instanceof File) return [model];
  if (Object(model) === model && typeof model !== "function") {
    return withAbsoluteUrls(/** @type {Model} */ (model));
  }
  if (typeof model !== "string") throw notAModel();
  const found = (await catalogue()).models.find(({ id }) => id === model);
  if (found) return withAbsoluteUrls(found);
  throw new VoxtabError(
    "model-missing",
    `The server has no model called ${JSON.stringify(model)}.`,
    "Pick one from the list.",
  );
}

/** @param {Model} model */
function withAbsoluteUrls({ name, manifest, files, tokenizer }) {
  const absolute = (/** @type {string} */ url) => {
    if (URL.canParse(url, document.baseURI)) return new URL(url, document.baseURI).href;
    throw new VoxtabError("option-invalid", `${url} is no address.`, "Pass a URL.");
  };
  if (files && !Array.isArray(files)) throw notAModel();
  return {
    name,
    manifest: manifest ? absolute(manifest) : null,
    tokenizer: tokenizer ? absolute(tokenizer) : null,
    files: (files ?? []).map((file) => ({ name: file.name, bytes: file.bytes, url: absolute(file.url) })),
  };
}

function notAModel() {
  return new VoxtabError(
    "option-invalid",
    "This is not a model.",
    "Pass an entry of models(), its id, the user's own file or files, or { name, manifest: URL }.",
  );
}
