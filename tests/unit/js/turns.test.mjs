// Sessions run side by side; models come and go alone.

import assert from "node:assert/strict";
import test from "node:test";
import { Turns } from "../../../web/worker/turns.js";

/** Work that goes on until it is told to end. */
function lasting() {
  let end = () => {};
  const ended = new Promise((resolve) => {
    end = resolve;
  });
  return { work: () => ended, end };
}

test("sessions run at once, and a load is refused until the last has ended", async () => {
  const turns = new Turns();
  const [one, two] = [lasting(), lasting()];
  const running = [turns.beside(one.work), turns.beside(two.work)];
  one.end();
  await running[0];
  await assert.rejects(turns.alone(async () => {}), { code: "busy" });
  two.end();
  await running[1];
  assert.equal(await turns.alone(async () => "loaded"), "loaded");
});

test("while a model is loaded, sessions and other loads are refused", async () => {
  const turns = new Turns();
  const load = lasting();
  const loading = turns.alone(load.work);
  await assert.rejects(turns.beside(async () => {}), { code: "busy" });
  await assert.rejects(turns.alone(async () => {}), { code: "busy" });
  load.end();
  await loading;
  assert.equal(await turns.beside(async () => "said"), "said");
});

test("work that fails gives its place back", async () => {
  const turns = new Turns();
  const failing = () => Promise.reject(new Error("no"));
  await assert.rejects(turns.beside(failing), /no/);
  await assert.rejects(turns.alone(failing), /no/);
  await turns.alone(async () => {});
});
