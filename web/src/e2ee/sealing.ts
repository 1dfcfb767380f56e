/** The page's side of the worker that holds the keys. One for each time of joining: keys hang on the sender id, which
 * is made anew then. */

import { type Bytes, toBase64Url } from "./bytes.ts";
import type { FromWorker, Kind, RemoteTrack, ToWorker, TransformOptions } from "./protocol.ts";
import type { Refusal } from "./receiving.ts";

const START_MS = 10_000;

export interface SealingEvents {
  flowing(slot: number, track: string, timestamp: number | null): void;
  refused(slot: number, refusal: Refusal, count: number): void;
}

export function canSeal(): boolean {
  return "RTCRtpScriptTransform" in globalThis && globalThis.crypto?.subtle !== undefined;
}

/** Twenty-four characters of base64url. */
export function randomId(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(18)));
}

export class Sealing {
  events: SealingEvents = { flowing: () => undefined, refused: () => undefined };
  private readonly waiting = new Map<number, (message: Bytes | null) => void>();
  private count = 0;

  private constructor(
    private readonly worker: Worker,
    readonly sender: string,
    readonly kidPrefix: number,
  ) {
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.hear(event.data);
  }

  static async start(secret: CryptoKey): Promise<Sealing> {
    const sender = randomId();
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "media keys" });
    const kidPrefix = await new Promise<number>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the worker that encrypts did not start")), START_MS);
      worker.onerror = () => reject(new Error("the worker that encrypts could not be loaded"));
      worker.onmessage = (event: MessageEvent<FromWorker>) => {
        if (event.data.type !== "started") return;
        clearTimeout(late);
        resolve(event.data.kidPrefix);
      };
      worker.postMessage({ type: "start", secret, sender } satisfies ToWorker);
    });
    return new Sealing(worker, sender, kidPrefix);
  }

  /** For a sender, before it is negotiated. Nothing leaves until `publish` names the track. */
  sealingTransform(kind: Kind): { readonly transform: RTCRtpScriptTransform; readonly publication: number } {
    const publication = this.next();
    return { transform: this.transform({ role: "seal", publication, kind }), publication };
  }

  publish(publication: number, cid: string): void {
    this.post({ type: "publish", publication, cid });
  }

  /** For a receiver, before it is negotiated. Nothing is played until `assign` says whose it is. */
  openingTransform(kind: Kind): { readonly transform: RTCRtpScriptTransform; readonly slot: number } {
    const slot = this.next();
    return { transform: this.transform({ role: "open", slot, kind }), slot };
  }

  assign(slot: number, to: RemoteTrack | null): void {
    this.post({ type: "assign", slot, to });
  }

  nameCodecs(payloadTypes: ReadonlyMap<number, string>): void {
    this.post({ type: "codecs", payloadTypes });
  }

  async seal(message: Bytes): Promise<Bytes> {
    const sealed = await this.ask((request) => ({ type: "seal", request, message }));
    if (sealed === null) throw new Error("the worker that encrypts has ended");
    return sealed;
  }

  /** Null where it is not what `sender` sealed, or came before. */
  open(sender: string, message: Bytes): Promise<Bytes | null> {
    return this.ask((request) => ({ type: "open", request, sender, message }));
  }

  close(): void {
    this.worker.terminate();
    for (const answer of this.waiting.values()) answer(null);
    this.waiting.clear();
  }

  private next(): number {
    this.count += 1;
    return this.count;
  }

  private transform(options: TransformOptions): RTCRtpScriptTransform {
    return new RTCRtpScriptTransform(this.worker, options);
  }

  private ask(message: (request: number) => ToWorker): Promise<Bytes | null> {
    const request = this.next();
    return new Promise((resolve) => {
      this.waiting.set(request, resolve);
      this.post(message(request));
    });
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private hear(message: FromWorker): void {
    switch (message.type) {
      case "flowing":
        this.events.flowing(message.slot, message.track, message.timestamp);
        break;
      case "refused":
        this.events.refused(message.slot, message.refusal, message.count);
        break;
      case "done":
        this.waiting.get(message.request)?.(message.message);
        this.waiting.delete(message.request);
        break;
      case "started":
      case "unsealed":
        break;
    }
  }
}
