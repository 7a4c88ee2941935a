// Numbers as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatClock } from "../../../web/app/format.js";

test("a clock shows hours once there are some", () => {
  const shown = [0, 65.9, 3599, 3600, 7265].map(formatClock);
  assert.deepEqual(shown, ["0:00", "1:05", "59:59", "1:00:00", "2:01:05"]);
});
