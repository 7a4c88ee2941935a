// Voices in their groups.

import assert from "node:assert/strict";
import { test } from "node:test";
import { groupVoices } from "../../../web/app/voice_picker.js";

const VOICES = ["nl_male", "casual_female", "fr_male", "fr_female", "neutral_male", "ar_male"].map((name) => ({
  name,
  language: /^[a-z]{2}(?=_)/.exec(name)?.[0] ?? "en",
  rows: 100,
}));

test("voices are grouped under their language's name, the reader's languages first", () => {
  assert.deepEqual(groupVoices(VOICES, ["nl-BE", "nl", "en-GB"]), [
    { language: "Dutch", voices: [{ name: "nl_male", title: "Male" }] },
    {
      language: "English",
      voices: [
        { name: "casual_female", title: "Casual female" },
        { name: "neutral_male", title: "Neutral male" },
      ],
    },
    { language: "Arabic", voices: [{ name: "ar_male", title: "Male" }] },
    {
      language: "French",
      voices: [
        { name: "fr_male", title: "Male" },
        { name: "fr_female", title: "Female" },
      ],
    },
  ]);
});

test("languages that nobody knows are named as they are", () => {
  const odd = ["xx_one", "en us!", ""].map((language) => ({ name: "v", language, rows: 1 }));
  const names = groupVoices(odd, []).map(({ language }) => language);
  assert.deepEqual(new Set(names), new Set(["xx_one", "en us!", "Other"]));
});

test("no voices are no groups", () => {
  assert.deepEqual(groupVoices([], ["en"]), []);
});
