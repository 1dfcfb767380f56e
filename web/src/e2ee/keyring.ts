/** The keys of one participation, each derived when it is first asked for. */

import type { Bytes } from "./bytes.ts";
import { Opener, Sealer } from "./framecrypto.ts";
import { dataKey, keyIdPrefix, trackKey } from "./framekeys.ts";
import { reasonOf } from "./receiving.ts";

/** Of other people's tracks, and of people who write: far more than a room holds at a time. The oldest goes. */
const MOST_OPENERS = 2048;

export class KeyRing {
  /** For as long as the participation lasts: a frame that was opened once is known in whatever slot it comes again. */
  private readonly openers = new Map<string, Promise<Opener>>();
  private readonly published = new Set<string>();
  private readonly messages: Promise<Sealer>;

  constructor(
    private readonly secret: CryptoKey,
    private readonly sender: string,
  ) {
    this.messages = dataKey(secret, sender).then((key) => new Sealer(key));
  }

  prefix(): Promise<number> {
    return keyIdPrefix(this.secret, this.sender);
  }

  /** Throws where this id was published before: its counter would start again under the same key. */
  async sealer(cid: string): Promise<Sealer> {
    if (this.published.has(cid)) throw new Error("a track id is published once");
    this.published.add(cid);
    return new Sealer(await trackKey(this.secret, this.sender, cid));
  }

  opener(sender: string, cid: string): Promise<Opener> {
    return this.remembered(`track ${sender} ${cid}`, async () => new Opener(await trackKey(this.secret, sender, cid)));
  }

  async sealMessage(message: Bytes): Promise<Bytes> {
    return (await this.messages).sealMessage(message);
  }

  /** Null where it is not what `sender` sealed, or was opened before. */
  async openMessage(sender: string, message: Bytes): Promise<Bytes | null> {
    const opener = await this.remembered(`data ${sender}`, async () => new Opener(await dataKey(this.secret, sender)));
    try {
      return await opener.openMessage(message);
    } catch (error) {
      reasonOf(error);
      return null;
    }
  }

  private remembered(name: string, make: () => Promise<Opener>): Promise<Opener> {
    let found = this.openers.get(name);
    if (found === undefined) {
      if (this.openers.size >= MOST_OPENERS) this.openers.delete(this.openers.keys().next().value!);
      found = make();
      this.openers.set(name, found);
    }
    return found;
  }
}
