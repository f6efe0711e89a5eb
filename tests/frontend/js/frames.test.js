import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeFrame } from "../../../frontend/assets/lab/core/frames.js";
import { frameBytes } from "./run.js";

const META = { kind: "snapshot", epoch: "2", seq: "9", after_seq: "8", step: "41", time_ms: "12.500" };

test("a frame's arrays are read by layer and name, with its metadata as numbers", () => {
  const frame = decodeFrame(
    frameBytes(META, [
      ["scalars", "F32", [2, 2], [40, 0.5, 41, NaN]],
      ["layer1/connection", "F32", [1, 2], [0.25, 0.75]],
      ["layer1/load", "F32", [2], [1, 0]],
    ]),
  );
  assert.deepEqual(
    [frame.kind, frame.epoch, frame.seq, frame.after_seq, frame.step, frame.time_ms],
    ["snapshot", 2, 9, 8, 41, 12.5],
  );
  assert.deepEqual(frame.scalars, { rows: 2, cols: 2, data: new Float32Array([40, 0.5, 41, NaN]) });
  assert.deepEqual(frame.layers[1].connection.data, new Float32Array([0.25, 0.75]));
  assert.deepEqual(frame.layers[1].load, { rows: 2, cols: 1, data: new Float32Array([1, 0]) });
  assert.equal(frame.layers[0], undefined);
});

test("an array that does not begin at a multiple of its numbers' size is read all the same", () => {
  const arrays = /** @type {[string, "F32" | "U8", number[], number[]][]} */ ([
    ["layer0/subspace", "U8", [1, 3], [1, 2, 255]],
    ["layer0/connection", "F32", [1, 1], [0.5]],
  ]);
  for (const name of ["a", "ab", "abc", "abcd"]) {
    const [{ subspace, connection }] = decodeFrame(frameBytes({ ...META, run: name }, arrays)).layers;
    assert.deepEqual([...subspace.data, ...connection.data], [1, 2, 255, 0.5]);
  }
});

test("a type that is not known is named with the known ones", () => {
  const bytes = frameBytes(META, [["layer0/load", "F32", [1], [1]]]);
  const text = new TextDecoder("latin1").decode(bytes).replace('"F32"', '"F16"');
  const changed = Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
  assert.throws(() => decodeFrame(changed), /must be one of F32, F64, U8, I32\. Found F16\./);
});
