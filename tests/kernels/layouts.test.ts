/** The rows of layouts agree with the numbers that the kernels know, with their twins and with what they prepare. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as abi from "../../assembly/abi.ts";
import { LAYOUTS, matrixSize } from "../../src/kernels/layouts.ts";
import { placePreparedRows, preparedOperand } from "../../src/kernels/preparations.ts";
import { STEPS } from "../../src/kernels/steps.ts";

const IDS = Object.entries(abi).flatMap(([name, id]) =>
  name.startsWith("LAYOUT_") ? [[name, id as number] as const] : [],
);

describe("layouts", () => {
  for (const [name, id] of IDS) test(`${name} has a row`, () => assert.ok(LAYOUTS.some((layout) => layout.id === id)));

  test("every row has an id of the ABI", () => {
    const ids = new Set(IDS.map(([, id]) => id));
    assert.deepEqual(
      LAYOUTS.filter(({ id }) => !ids.has(id)),
      [],
    );
  });

  test("a twin uses the bytes of its layout, with row scales in the room of the block scales", () => {
    const withTwin = LAYOUTS.filter(({ uniformTwin }) => uniformTwin !== undefined);
    assert.equal(withTwin.length, 3);
    for (const layout of withTwin) {
      const blocks = matrixSize(layout, 33, 250, 128),
        rows = matrixSize(layout.uniformTwin!, 33, 250, 0);
      assert.equal(rows.weightBytes, blocks.weightBytes);
      assert.ok(rows.scaleBytes <= blocks.scaleBytes);
      assert.equal(rows.kp, blocks.kp);
      assert.equal(layout.uniformTwin!.scales, "row");
      assert.equal(layout.uniformTwin!.uniformTwin, undefined);
    }
  });
});

describe("preparations", () => {
  const kp = 1280;
  for (const preparation of new Set(LAYOUTS.map((layout) => layout.preparation))) {
    if (preparation === undefined) continue;
    const { act, scale, sum } = preparation.reads,
      at = placePreparedRows(preparation, kp, "none", (bytes) => `${bytes} bytes`);

    test(`the matmul reads ${act}, ${scale} and ${sum}, which steps have written`, () => {
      const written = new Set<string>();
      const places = {
        q8: "q8",
        q16: "q16",
        scale: "scale",
        sum: "sum",
        blockScale: "blockScale",
        blockSum: "blockSum",
        tables: "tables",
      };
      const to = {
        step: (name: keyof typeof STEPS, fields: object) => {
          for (const value of Object.values(fields)) if (typeof value === "string") written.add(value);
          assert.ok(name in STEPS);
        },
      };
      preparation.quantize(to, { x: "x", xStride: kp, k: kp, isOwn: true }, places, kp);
      preparation.buildTables?.(to, places, kp);
      for (const buffer of [act, scale]) assert.ok(written.has(buffer), buffer);
      for (const [buffer, place] of Object.entries(at))
        if (place !== "none") assert.ok(written.has(buffer), `${buffer} has room and no step`);
    });

    test(`rows of ${act} lie as far apart as there is room for each`, () => {
      const operand = preparedOperand(preparation, at, kp);
      assert.equal(operand.act, `${operand.actRowBytes} bytes`);
      assert.equal(operand.actScale, `${operand.scaleRowBytes} bytes`);
    });
  }
});
