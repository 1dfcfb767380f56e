/** What `getStats` says of each track that comes or goes, as a tile shows it. */

export interface TrackFacts {
  /** Decoded or encoded since the slot or the section began. */
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** In bits a second, over the last interval. */
  readonly bitrate: number;
  readonly lost: number | null;
}

interface RtpStats {
  readonly type: string;
  readonly mid?: string;
  readonly rid?: string;
  readonly kind?: string;
  readonly timestamp: number;
  readonly bytesReceived?: number;
  readonly bytesSent?: number;
  readonly framesDecoded?: number;
  readonly framesEncoded?: number;
  readonly frameWidth?: number;
  readonly frameHeight?: number;
  readonly framesPerSecond?: number;
  readonly packetsLost?: number;
  readonly totalAudioEnergy?: number;
}

interface Sum {
  readonly at: number;
  readonly bytes: number;
}

/** Keeps what it needs of the last reading to tell rates. */
export class FactsReader {
  private readonly before = new Map<string, Sum>();

  /** By mid. Of a simulcast: the largest that is sent, and the bitrate of all. */
  read(report: Iterable<RtpStats>): ReadonlyMap<string, TrackFacts> {
    const found = new Map<string, TrackFacts>();
    for (const one of report) {
      if (one.mid === undefined || (one.type !== "inbound-rtp" && one.type !== "outbound-rtp")) continue;
      const facts = this.facts(one);
      const other = found.get(one.mid);
      found.set(one.mid, other === undefined ? facts : merged(other, facts));
    }
    return found;
  }

  private facts(one: RtpStats): TrackFacts {
    const bytes = one.bytesReceived ?? one.bytesSent ?? 0;
    const key = `${one.type} ${one.mid} ${one.rid ?? ""}`;
    const before = this.before.get(key);
    this.before.set(key, { at: one.timestamp, bytes });
    const seconds = before === undefined ? 0 : (one.timestamp - before.at) / 1000;
    return {
      frames: one.framesDecoded ?? one.framesEncoded ?? 0,
      width: one.frameWidth ?? 0,
      height: one.frameHeight ?? 0,
      fps: one.framesPerSecond ?? 0,
      bitrate: before === undefined || seconds <= 0 ? 0 : Math.max(0, (8 * (bytes - before.bytes)) / seconds),
      lost: one.packetsLost ?? null,
    };
  }
}

function merged(one: TrackFacts, other: TrackFacts): TrackFacts {
  const larger = other.fps > 0 && other.height >= one.height ? other : one;
  return { ...larger, frames: Math.max(one.frames, other.frames), bitrate: one.bitrate + other.bitrate };
}
