/** Which frames of a receive slot are let through to the decoder: those of the track that the slot holds, opened under
 * that track's own key. The server switches slots without a seam, and its message and its packets come on different
 * ways, so frames can be early or late:
 *
 * - Early: nobody's key that we were told of opens them. They wait a moment for the message, once for each assignment.
 * - Late: the key of the track before opens them. They are dropped: they would show under the next one's name.
 */

import type { Bytes } from "./bytes.ts";
import type { Opener, SealedCodec } from "./framecrypto.ts";
import { BadFrame, type Reason } from "./problems.ts";

/** Longer than a message is usually behind its packets, shorter than what a listener would take for an outage. */
export const PATIENCE_MS = 400;

export type Refusal = Reason | "no_track" | "previous_track";

export interface Assigned {
  readonly track: string;
  readonly opener: Opener;
}

export interface Outcome {
  readonly frame: Bytes | null;
  readonly refusal: Refusal | null;
  /** The track whose first frame this is since it came into the slot. */
  readonly begins: string | null;
}

export class ReceiveSlot {
  private current: Assigned | null = null;
  private previous: Assigned | null = null;
  private begun = false;
  private patient = true;
  private changed: (() => void) | null = null;

  constructor(private readonly wait: (milliseconds: number) => Promise<void>) {}

  assign(next: Assigned | null): void {
    if (next?.track === this.current?.track) return;
    this.previous = this.current ?? this.previous;
    this.current = next;
    this.begun = false;
    this.patient = true;
    this.changed?.();
  }

  /** One frame at a time, in the order of arrival. */
  async open(frame: Bytes, codec: SealedCodec): Promise<Outcome> {
    const first = await this.attempt(frame, codec);
    if (!isUnknown(first.refusal)) return first;
    if (this.previous !== null && (await opens(this.previous.opener, frame, codec))) return refused("previous_track");
    return (await this.assignmentComes()) ? this.attempt(frame, codec) : first;
  }

  private async attempt(frame: Bytes, codec: SealedCodec): Promise<Outcome> {
    const holder = this.current;
    if (holder === null) return refused("no_track");
    try {
      const opened = await holder.opener.open(frame, codec);
      // While it was opened the slot may have gone to somebody else.
      if (holder !== this.current) return refused("previous_track");
      const begins = this.begun || frame.length === 0 ? null : holder.track;
      this.begun ||= begins !== null;
      return { frame: opened, refusal: null, begins };
    } catch (error) {
      return refused(reasonOf(error));
    }
  }

  private async assignmentComes(): Promise<boolean> {
    if (!this.patient) return false;
    let came = false;
    const change = new Promise<void>((resolve) => {
      this.changed = () => {
        came = true;
        resolve();
      };
    });
    await Promise.race([change, this.wait(PATIENCE_MS)]);
    this.changed = null;
    this.patient = came;
    return came;
  }
}

function refused(refusal: Refusal): Outcome {
  return { frame: null, refusal, begins: null };
}

function isUnknown(refusal: Refusal | null): boolean {
  return refusal === "no_track" || refusal === "unknown_key" || refusal === "sframe_unauthentic";
}

async function opens(opener: Opener, frame: Bytes, codec: SealedCodec): Promise<boolean> {
  try {
    await opener.open(frame, codec);
    return true;
  } catch (error) {
    return reasonOf(error) === "frame_replayed";
  }
}

export function reasonOf(error: unknown): Reason {
  if (error instanceof BadFrame) return error.reason;
  throw error;
}
