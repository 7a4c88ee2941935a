// Encodes texts with the engine in Pyodide: [path of a tekken.json, texts] on standard input, their tokens out.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "../../../web/node_modules/pyodide/pyodide.mjs";

const ENCODE = `
import json, sys
sys.path.insert(0, "/web")
from voxtab.formats.tekken import Tekken

def encode(tekken_json, texts):
    tekken = Tekken.from_json(tekken_json.encode())
    return json.dumps([tekken.encode(text) for text in json.loads(texts)])

encode
`;

const [path, texts] = JSON.parse(readFileSync(0, "utf-8"));
const pyodide = await loadPyodide();
pyodide.mountNodeFS("/web", fileURLToPath(new URL("../../../web", import.meta.url)));
const encode = pyodide.runPython(ENCODE);
process.stdout.write(encode(readFileSync(path, "utf-8"), JSON.stringify(texts)));
