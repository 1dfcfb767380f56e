import { describe, expect, test } from "vitest";
import { GAP, grid, type Rectangle, type Size, spotlight } from "../../src/ui/layout.ts";

const STAGES: readonly Size[] = [
  { width: 1280, height: 640 },
  { width: 390, height: 700 },
  { width: 844, height: 300 },
  { width: 1000, height: 1000 },
];
const COUNTS = Array.from({ length: 25 }, (_, place) => place + 1);

function overlap(one: Rectangle, other: Rectangle): boolean {
  const apart = GAP - 0.01;
  return (
    one.left < other.left + other.width + apart &&
    other.left < one.left + one.width + apart &&
    one.top < other.top + other.height + apart &&
    other.top < one.top + one.height + apart
  );
}

function expectSound(tiles: readonly Rectangle[], stage: Size): void {
  tiles.forEach((one, place) => {
    expect(one.width).toBeGreaterThan(10);
    expect(one.height).toBeGreaterThan(10);
    expect(one.left).toBeGreaterThanOrEqual(-0.01);
    expect(one.top).toBeGreaterThanOrEqual(-0.01);
    expect(one.left + one.width).toBeLessThanOrEqual(stage.width + 0.01);
    expect(one.top + one.height).toBeLessThanOrEqual(stage.height + 0.01);
    for (const other of tiles.slice(place + 1)) expect(overlap(one, other)).toBe(false);
  });
}

describe.each(STAGES)("on $width x $height", (stage) => {
  test.each(COUNTS)("%i tiles are inside, apart and of a shape that suits a face", (count) => {
    const tiles = grid(count, stage);
    expect(tiles).toHaveLength(count);
    expectSound(tiles, stage);
    for (const { width, height } of tiles) {
      expect(width / height).toBeLessThanOrEqual(16 / 9 + 0.01);
      expect(width / height).toBeGreaterThanOrEqual(3 / 4 - 0.01);
    }
  });

  test.each(COUNTS)("%i tiles around a large one are inside and apart", (count) => {
    const tiles = spotlight(count, stage);
    expect(tiles).toHaveLength(count);
    expectSound(tiles, stage);
    for (const other of tiles.slice(1))
      expect(other.width * other.height).toBeLessThan(tiles[0]!.width * tiles[0]!.height);
  });
});

test("two people stand beside each other on a wide stage and above each other on a tall one", () => {
  const [left, right] = grid(2, STAGES[0]!);
  expect(left!.top).toBe(right!.top);
  const [above, below] = grid(2, STAGES[1]!);
  expect(above!.left).toBe(below!.left);
  expect(below!.top).toBeGreaterThan(above!.top);
});

test("a last row that is not full is centred", () => {
  const tiles = grid(5, STAGES[0]!);
  const last = tiles.slice(3);
  expect(last[0]!.left).toBeCloseTo(STAGES[0]!.width - (last[1]!.left + last[1]!.width));
});
