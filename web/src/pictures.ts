/** Which track comes through which slot, as the worker that holds the keys sees it: what was opened, and what was not. */

import type { Sealing } from "./e2ee/sealing.ts";
import type { MediaSession, Slot } from "./media/session.ts";
import { participantOf, type RoomState } from "./signaling/room.ts";

/** So many frames a second that do not open are no accident of switching. */
const MANY_REFUSALS = 10;
const KEY_REFUSALS: ReadonlySet<string> = new Set([
  "unknown_key",
  "sframe_unauthentic",
  "sframe_short",
  "sframe_not_minimal",
]);

interface Begun {
  readonly slot: Slot;
  /** Of RTP, of the first frame that was surely of this track in this slot; null where that is not known. */
  readonly timestamp: number | null;
}

export class Pictures {
  private readonly begun = new Map<string, Begun>();
  private readonly unopened = new Set<string>();

  get live(): ReadonlySet<string> {
    return new Set(this.begun.keys());
  }

  get refused(): ReadonlySet<string> {
    return this.unopened;
  }

  since(track: string): number | null {
    return this.begun.get(track)?.timestamp ?? null;
  }

  /** After slots or tracks have changed. The worker opens in each slot what is sealed with the key of the track that is
   * said to flow there, nothing else. What moved to another slot begins anew: that one still shows somebody else. */
  assign(state: RoomState, session: MediaSession, sealing: Sealing | null): void {
    for (const [track, { slot }] of this.begun) if (slot.track !== track) this.forget(track);
    for (const slot of session.slots) {
      const track = slot.track === null ? undefined : state.tracks.get(slot.track);
      if (sealing === null) {
        if (track !== undefined && !this.begun.has(track.id)) this.begun.set(track.id, { slot, timestamp: null });
        continue;
      }
      if (slot.opening === null) continue;
      const sender = track && participantOf(state, track.participant)?.e2ee?.sender;
      sealing.assign(slot.opening, track && sender ? { track: track.id, sender, cid: track.cid } : null);
    }
  }

  flowing(slot: Slot, track: string, timestamp: number | null): void {
    this.unopened.delete(track);
    this.begun.set(track, { slot, timestamp });
  }

  /** Whether that says that the key is another. */
  framesRefused(slot: Slot, refusal: string, count: number): boolean {
    if (slot.track === null || slot.kind !== "video" || count < MANY_REFUSALS || !KEY_REFUSALS.has(refusal))
      return false;
    this.begun.delete(slot.track);
    this.unopened.add(slot.track);
    return true;
  }

  forget(track: string): void {
    this.begun.delete(track);
    this.unopened.delete(track);
  }

  clear(): void {
    this.begun.clear();
    this.unopened.clear();
  }
}
