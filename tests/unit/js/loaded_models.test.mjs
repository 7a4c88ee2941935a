// What is known of the models on the GPU, through losses and failed loads.

import assert from "node:assert/strict";
import test from "node:test";
import { LoadedModels } from "../../../web/app/loaded_models.js";

const HEARS = { name: "hears", task: "speech-to-text" };
const SPEAKS = { name: "speaks", task: "text-to-speech" };

function both() {
  const models = new LoadedModels();
  models.add({ name: "a" }, HEARS);
  models.add({ name: "b" }, SPEAKS);
  return models;
}

test("there is one of each task, and a newer one takes the place of its own", () => {
  const models = both();
  models.add({ name: "c" }, { ...SPEAKS, name: "newer" });
  assert.equal(models.loaded("speech-to-text"), HEARS);
  assert.equal(models.loaded("text-to-speech").name, "newer");
});

test("a failed load that cost a model leaves the other", () => {
  const models = both();
  models.keepOnly(["speech-to-text"]);
  assert.equal(models.loaded("text-to-speech"), null);
  assert.equal(models.loaded("speech-to-text"), HEARS);
});

test("a lost model is loaded again once for all who need it, one that was unloaded never", async () => {
  const models = both();
  models.lose();
  models.keepOnly([]); // a failed load meanwhile
  models.remove("speech-to-text");
  assert.equal(models.loaded("text-to-speech"), null);
  const asked = [];
  const load = async ({ model }) => {
    asked.push(model.name);
    models.add(model, SPEAKS);
  };
  await Promise.all([
    models.restore("text-to-speech", load),
    models.restore("text-to-speech", load),
    models.restore("speech-to-text", load),
  ]);
  await models.restore("text-to-speech", load);
  assert.deepEqual(asked, ["b"]);
  assert.equal(models.loaded("text-to-speech"), SPEAKS);
});

test("a lost model that could not be loaded again is tried again", async () => {
  const models = both();
  models.lose();
  const failing = () => Promise.reject(new Error("no network"));
  await assert.rejects(models.restore("speech-to-text", failing), /no network/);
  await assert.rejects(models.restore("speech-to-text", failing), /no network/);
});
