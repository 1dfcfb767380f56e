/** What the page and the worker that holds the keys say to each other. Keys go in only as such that nobody can read. */

import type { Bytes } from "./bytes.ts";
import type { Refusal } from "./receiving.ts";

export type Kind = "audio" | "video";

/** The options of a transform: of what it seals, or of the slot that it opens. */
export type TransformOptions =
  | { readonly role: "seal"; readonly publication: number; readonly kind: Kind }
  | { readonly role: "open"; readonly slot: number; readonly kind: Kind };

export interface RemoteTrack {
  readonly track: string;
  readonly sender: string;
  readonly cid: string;
}

export type ToWorker =
  | { readonly type: "start"; readonly secret: CryptoKey; readonly sender: string }
  | { readonly type: "publish"; readonly publication: number; readonly cid: string }
  | { readonly type: "assign"; readonly slot: number; readonly to: RemoteTrack | null }
  | { readonly type: "codecs"; readonly payloadTypes: ReadonlyMap<number, string> }
  | { readonly type: "seal"; readonly request: number; readonly message: Bytes }
  | { readonly type: "open"; readonly request: number; readonly sender: string; readonly message: Bytes };

export type FromWorker =
  | { readonly type: "started"; readonly kidPrefix: number }
  | { readonly type: "flowing"; readonly slot: number; readonly track: string; readonly timestamp: number | null }
  | { readonly type: "refused"; readonly slot: number; readonly refusal: Refusal; readonly count: number }
  | { readonly type: "unsealed"; readonly publication: number; readonly reason: string }
  | { readonly type: "done"; readonly request: number; readonly message: Bytes | null };
