// A browser that looks only now and then whether the GPU is done is made to look while somebody waits, and only then.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PromptQueue } from "../../../web/worker/prompt_queue.js";

const CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:159.0) Gecko/20100101 Firefox/159.0";

/** A queue that notices what was done at the `after`th thing submitted, and how much was. */
class LazyQueue {
  submitted = 0;
  #after;
  /** @type {(told: string) => void} */
  #notice = () => {};
  done = new Promise((resolve) => {
    this.#notice = resolve;
  });

  /** @param {number} after */
  constructor(after) {
    this.#after = after;
  }

  /** @param {Iterable<unknown>} buffers */
  submit(buffers) {
    assert.deepEqual([...buffers], []);
    this.submitted++;
    if (this.submitted === this.#after) this.#notice("done");
  }
}

const time = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("in Firefox the queue is nudged until what is waited for is done, and no longer", async () => {
  const queue = new LazyQueue(3);
  const prompt = new PromptQueue(queue, FIREFOX);
  assert.equal(await prompt.until(queue.done), "done");
  assert.equal(queue.submitted, 3);
  await time(20);
  assert.equal(queue.submitted, 3);
});

test("two that wait share the nudges, which go on for the later one", async () => {
  const queue = new LazyQueue(5);
  const prompt = new PromptQueue(queue, FIREFOX);
  const later = prompt.until(queue.done);
  assert.equal(await prompt.until(Promise.resolve("at once")), "at once");
  assert.equal(await later, "done");
  assert.equal(queue.submitted, 5);
});

test("what fails ends the nudges too", async () => {
  const queue = new LazyQueue(1);
  await assert.rejects(new PromptQueue(queue, FIREFOX).until(Promise.reject(new Error("lost"))), /lost/);
  await time(20);
  assert.equal(queue.submitted, 0);
});

test("elsewhere nothing is submitted", async () => {
  const queue = new LazyQueue(1);
  const prompt = new PromptQueue(queue, CHROMIUM);
  assert.equal(await prompt.until(time(20).then(() => "done")), "done");
  assert.equal(queue.submitted, 0);
});
