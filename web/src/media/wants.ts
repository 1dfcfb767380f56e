/** Tells the server how large each picture is shown. Pure of timers: who calls `due` has waited. */

import type { Size } from "../ui/layout.ts";

/** A tile that grows by a few pixels needs no other layer. */
const WORTH_TELLING = 0.08;

export type Want = { readonly track: string; readonly size: Size | null };

export class Wants {
  private told = new Map<string, Size | null>();

  /** What is to be told so that the server knows `shown`, where `known` are all tracks of pictures; null for one that
   * is not shown at all. */
  due(shown: ReadonlyMap<string, Size>, known: Iterable<string>): readonly Want[] {
    const due: Want[] = [];
    const next = new Map<string, Size | null>();
    for (const track of known) {
      const size = shown.get(track) ?? null;
      const before = this.told.get(track);
      const isSame = before !== undefined && alike(before, size);
      if (!isSame) due.push({ track, size });
      next.set(track, isSame ? (before ?? null) : size);
    }
    this.told = next;
    return due;
  }

  /** After joining anew the server knows nothing of it. */
  forget(): void {
    this.told.clear();
  }
}

function alike(one: Size | null, other: Size | null): boolean {
  if (one === null || other === null) return one === other;
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= WORTH_TELLING * Math.max(a, b);
  return near(one.width, other.width) && near(one.height, other.height);
}
