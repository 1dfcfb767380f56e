/** Where tiles stand. Pure: sizes in, rectangles out. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rectangle extends Size {
  readonly left: number;
  readonly top: number;
}

export const GAP = 8;
/** Cameras are wide, and faces bear being cut to some extent: more of it where the stage is tall. */
const WIDEST = 16 / 9;
const TALLEST = { onWide: 6 / 5, onTall: 3 / 4 } as const;
/** What is not enlarged stays at a side, of this part of the stage; below it a screen, which is wide, leaves more. */
const STRIP = { beside: 0.2, belowFew: 0.25, belowMany: 0.4 } as const;
const FEW = 3;
const THINNEST_STRIP = 96;

/** Equal tiles, as large as they can be; the last row is centred. */
export function grid(count: number, stage: Size): readonly Rectangle[] {
  return arranged(count, stage, stage.width >= stage.height ? TALLEST.onWide : TALLEST.onTall);
}

function arranged(count: number, stage: Size, tallest: number): readonly Rectangle[] {
  if (count === 0) return [];
  let best = { area: -1, columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (stage.width - GAP * (columns - 1)) / columns,
      height: (stage.height - GAP * (rows - 1)) / rows,
    };
    const { width, height } = fitted(cell, tallest);
    // Of arrangements alike, the one with fewer empty places.
    const area = width * height * (1 - 0.001 * (columns * rows - count));
    if (area > best.area) best = { area, columns, width, height };
  }
  return placed(count, stage, best);
}

/** The first is large, the others are in a strip beside it, or below it where the stage is taller than wide. */
export function spotlight(count: number, stage: Size): readonly Rectangle[] {
  if (count <= 1) return count === 0 ? [] : [{ left: 0, top: 0, ...stage }];
  const isWide = stage.width >= stage.height;
  const share = isWide ? STRIP.beside : count - 1 > FEW ? STRIP.belowMany : STRIP.belowFew;
  const strip = Math.max(THINNEST_STRIP, share * (isWide ? stage.width : stage.height));
  const main = isWide
    ? { width: stage.width - strip - GAP, height: stage.height }
    : { width: stage.width, height: stage.height - strip - GAP };
  const side = isWide ? { width: strip, height: stage.height } : { width: stage.width, height: strip };
  const offset = isWide ? { left: main.width + GAP, top: 0 } : { left: 0, top: main.height + GAP };
  const others = arranged(count - 1, side, TALLEST.onWide).map((one) => ({
    ...one,
    left: one.left + offset.left,
    top: one.top + offset.top,
  }));
  return [{ left: 0, top: 0, ...main }, ...others];
}

function fitted(cell: Size, tallest: number): Size {
  const width = Math.max(0, Math.min(cell.width, cell.height * WIDEST));
  return { width, height: Math.max(0, Math.min(cell.height, width / tallest)) };
}

function placed(count: number, stage: Size, tile: Size & { readonly columns: number }): readonly Rectangle[] {
  const rows = Math.ceil(count / tile.columns);
  const top = (stage.height - rows * tile.height - (rows - 1) * GAP) / 2;
  return Array.from({ length: count }, (_, place) => {
    const row = Math.floor(place / tile.columns);
    const inRow = Math.min(tile.columns, count - row * tile.columns);
    const left = (stage.width - inRow * tile.width - (inRow - 1) * GAP) / 2;
    return {
      left: left + (place - row * tile.columns) * (tile.width + GAP),
      top: top + row * (tile.height + GAP),
      width: tile.width,
      height: tile.height,
    };
  });
}
