// What the speech card works out from a text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { countCharacters, expectedSeconds, fileNameOf } from "../../../web/app/speak_form.js";

test("characters are counted as Python counts them", () => {
  assert.equal(countCharacters(""), 0);
  assert.equal(countCharacters("añb"), 3);
  assert.equal(countCharacters("🎲 हिन्दी"), 8);
});

test("a file is named after the text's first words", () => {
  assert.equal(fileNameOf("Hello,  World!"), "hello-world");
  assert.equal(fileNameOf("../../etc/passwd"), "etc-passwd");
  assert.equal(fileNameOf("Où est-ce que c'est ?"), "où-est-ce-que-c-est");
  assert.equal(fileNameOf("हिन्दी में बोलो"), "हिन्दी-में-बोलो");
  assert.equal(fileNameOf("one two three four five six seven eight nine ten"), "one-two-three-four-five-six-seven-eight");
  assert.equal(fileNameOf("…!"), "speech");
  assert.equal(fileNameOf("x".repeat(50)), "speech");
});

test("longer texts are expected to take longer, and none takes no time", () => {
  assert.equal(expectedSeconds(""), 1);
  assert.equal(expectedSeconds(" Yes. \n"), 1);
  assert.equal(expectedSeconds("x".repeat(140)), 10);
});
