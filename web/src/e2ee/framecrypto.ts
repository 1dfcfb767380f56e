/** Frames of media in Secure rooms: `clear prefix | SFrame header | ciphertext | tag`, as media/framecrypto.py has them.
 *
 * The prefix is what packetisers and the server read of a frame; it is bound as the metadata of RFC 9605. A nonce comes
 * from key and counter alone, because the server rewrites SSRCs and timestamps: one sealer serves all layers of a track.
 */

import { type Bytes, joined } from "./bytes.ts";
import { BadFrame } from "./problems.ts";
import { parseHeader, type SframeKey } from "./sframe.ts";

/** The packetisers of H264 and AV1 need structure that encryption hides. */
export type SealedCodec = "vp8" | "vp9" | "opus";

/** Frames of one key that may arrive in another order than they were sealed in. */
const REPLAY_WINDOW = 1024;
/** A year and a half of three layers at 30 frames a second: who gets here has lost count, not run out of nonces. */
const MOST_FRAMES = 2 ** 32;

const VP8_KEY_FRAME_PREFIX = 10;
const VP8_DELTA_FRAME_PREFIX = 3;

/** Of a frame that begins with `firstByte`: VP8 says there whether it is a key frame (RFC 6386, section 9.1). */
export function prefixLength(codec: SealedCodec, firstByte: number): number {
  if (codec === "vp8") return firstByte & 1 ? VP8_DELTA_FRAME_PREFIX : VP8_KEY_FRAME_PREFIX;
  return codec === "opus" ? 1 : 0;
}

/** Counters that were seen; those too far below the highest count as seen. */
export class ReplayWindow {
  private highest = -1n;
  private seen = 0n;

  constructor(private readonly size: number = REPLAY_WINDOW) {}

  wasSeen(counter: bigint): boolean {
    const behind = this.highest - counter;
    return behind >= 0n && (behind >= BigInt(this.size) || ((this.seen >> behind) & 1n) === 1n);
  }

  see(counter: bigint): void {
    const behind = this.highest - counter;
    const size = BigInt(this.size);
    if (behind >= size) return;
    if (behind >= 0n) {
      this.seen |= 1n << behind;
      return;
    }
    // A jump beyond the window forgets all of it; shifting by the jump itself would take memory at will.
    const kept = -behind < size ? this.seen << -behind : 0n;
    this.seen = (kept | 1n) & ((1n << size) - 1n);
    this.highest = counter;
  }
}

/** Of one track, for all its layers; or of one participant's messages. */
export class Sealer {
  private counter = 0;

  constructor(private readonly key: SframeKey) {}

  /** An empty frame stays empty. Throws BadFrame `frame_short`, `key_exhausted`. */
  async seal(frame: Bytes, codec: SealedCodec): Promise<Bytes> {
    if (frame.length === 0) return frame;
    const prefix = clearPrefix(frame, codec);
    return joined(prefix, await this.sealed(frame.subarray(prefix.length), prefix));
  }

  /** Nothing of it stays clear. */
  async sealMessage(message: Bytes): Promise<Bytes> {
    return this.sealed(message, new Uint8Array());
  }

  private async sealed(plaintext: Bytes, metadata: Bytes): Promise<Bytes> {
    if (this.counter >= MOST_FRAMES) throw new BadFrame("key_exhausted");
    const counter = this.counter;
    this.counter += 1;
    return this.key.seal(counter, plaintext, metadata);
  }
}

/** Of one track, or of one participant's messages. Everything that comes under its key comes through this one, so that
 * a frame that was opened once is never opened again, in whatever slot it arrives. */
export class Opener {
  private readonly window = new ReplayWindow();

  constructor(private readonly key: SframeKey) {}

  /** An empty frame stays empty. Throws BadFrame `frame_short`, `sframe_short`, `sframe_not_minimal`, `unknown_key`,
   * `frame_replayed`, `sframe_unauthentic`. */
  async open(frame: Bytes, codec: SealedCodec): Promise<Bytes> {
    if (frame.length === 0) return frame;
    const prefix = clearPrefix(frame, codec);
    return joined(prefix, await this.opened(frame.subarray(prefix.length), prefix));
  }

  async openMessage(message: Bytes): Promise<Bytes> {
    return this.opened(message, new Uint8Array());
  }

  private async opened(sealed: Bytes, metadata: Bytes): Promise<Bytes> {
    const header = parseHeader(sealed);
    if (header.keyId !== BigInt(this.key.keyId)) throw new BadFrame("unknown_key");
    this.refuseSeen(header.counter);
    const plaintext = await this.key.open(sealed, header, metadata);
    // Again, for its twin may have been opened meanwhile. And only now is the counter known to be the publisher's: a
    // forged one must not move the window.
    this.refuseSeen(header.counter);
    this.window.see(header.counter);
    return plaintext;
  }

  private refuseSeen(counter: bigint): void {
    if (this.window.wasSeen(counter)) throw new BadFrame("frame_replayed");
  }
}

function clearPrefix(frame: Bytes, codec: SealedCodec): Bytes {
  const length = prefixLength(codec, frame[0]!);
  if (frame.length < length) throw new BadFrame("frame_short");
  return frame.slice(0, length);
}
