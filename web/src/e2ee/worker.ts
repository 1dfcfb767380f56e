/** The worker that holds the keys of a participation. Every frame that is sent or played passes here: what cannot be
 * sealed is not sent, and what cannot be opened is not played. */

import type { Bytes } from "./bytes.ts";
import type { SealedCodec, Sealer } from "./framecrypto.ts";
import { KeyRing } from "./keyring.ts";
import type { FromWorker, Kind, RemoteTrack, ToWorker, TransformOptions } from "./protocol.ts";
import { ReceiveSlot, type Refusal, reasonOf } from "./receiving.ts";

declare const self: DedicatedWorkerGlobalScope;

type EncodedFrame = RTCEncodedVideoFrame | RTCEncodedAudioFrame;

const CODECS: ReadonlyMap<string, SealedCodec> = new Map([
  ["video/vp8", "vp8"],
  ["video/vp9", "vp9"],
]);
const TELL_REFUSALS_MS = 1000;

let ring: KeyRing | null = null;
let payloadTypes: ReadonlyMap<number, string> = new Map();
const publications = new Map<number, Sealer>();
const slots = new Map<number, ReceiveSlot>();
const turns = new Map<number, number>();
const refusals = new Map<number, Map<Refusal, number>>();

function tell(message: FromWorker): void {
  self.postMessage(message);
}

function keys(): KeyRing {
  if (ring === null) throw new Error("the worker has no keys yet");
  return ring;
}

function slot(number: number): ReceiveSlot {
  let found = slots.get(number);
  if (found === undefined) {
    found = new ReceiveSlot((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)));
    slots.set(number, found);
  }
  return found;
}

async function assign(number: number, to: RemoteTrack | null): Promise<void> {
  // Deriving a key takes a moment, and the assignment that was said last is the one that has to stand.
  const turn = (turns.get(number) ?? 0) + 1;
  turns.set(number, turn);
  const opener = to && (await keys().opener(to.sender, to.cid));
  if (turns.get(number) === turn) slot(number).assign(to && opener && { track: to.track, opener });
}

async function obey(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      ring = new KeyRing(message.secret, message.sender);
      tell({ type: "started", kidPrefix: await ring.prefix() });
      return;
    case "publish":
      publications.set(message.publication, await keys().sealer(message.cid));
      return;
    case "assign":
      return assign(message.slot, message.to);
    case "codecs":
      payloadTypes = message.payloadTypes;
      return;
    case "seal":
      tell({ type: "done", request: message.request, message: await keys().sealMessage(message.message) });
      return;
    case "open": {
      const opened = await keys().openMessage(message.sender, message.message);
      tell({ type: "done", request: message.request, message: opened });
    }
  }
}

/** Sound is offered in Opus alone. Not every browser says the type in the frame; all say its number. */
function codecOf(kind: Kind, frame: EncodedFrame): SealedCodec | undefined {
  if (kind === "audio") return "opus";
  const { mimeType, payloadType } = frame.getMetadata();
  return CODECS.get((mimeType ?? payloadTypes.get(payloadType ?? -1) ?? "").toLowerCase());
}

type Pass = (frame: EncodedFrame, bytes: Bytes) => Promise<Bytes | null>;

/** Frames that `pass` makes nothing of go no further. */
async function pump(transformer: RTCRtpScriptTransformer, pass: Pass): Promise<void> {
  const transform = new TransformStream<EncodedFrame, EncodedFrame>({
    async transform(frame, controller) {
      // Senders write frames of no bytes at all, where there is nothing to say; they hold nothing to seal.
      if (frame.data.byteLength === 0) {
        controller.enqueue(frame);
        return;
      }
      const passed = await pass(frame, new Uint8Array(frame.data));
      if (passed === null) return;
      frame.data = passed.buffer;
      controller.enqueue(frame);
    },
  });
  await transformer.readable.pipeThrough(transform).pipeTo(transformer.writable);
}

function sealing(publication: number, kind: Kind): Pass {
  return async (frame, bytes) => {
    const sealer = publications.get(publication);
    const codec = codecOf(kind, frame);
    if (sealer === undefined || codec === undefined) return null;
    try {
      return await sealer.seal(bytes, codec);
    } catch (error) {
      tell({ type: "unsealed", publication, reason: reasonOf(error) });
      return null;
    }
  };
}

function opening(number: number, kind: Kind): Pass {
  return async (frame, bytes) => {
    const codec = codecOf(kind, frame);
    if (codec === undefined) {
      refuse(number, "codec_not_sealed");
      return null;
    }
    const outcome = await slot(number).open(bytes, codec);
    if (outcome.refusal !== null) refuse(number, outcome.refusal);
    if (outcome.begins !== null) {
      tell({
        type: "flowing",
        slot: number,
        track: outcome.begins,
        timestamp: frame.getMetadata().rtpTimestamp ?? null,
      });
    }
    return outcome.frame;
  };
}

function refuse(number: number, refusal: Refusal): void {
  const counts = refusals.get(number) ?? new Map<Refusal, number>();
  refusals.set(number, counts.set(refusal, (counts.get(refusal) ?? 0) + 1));
}

/** Now and then and not by the frame: somebody without the key refuses thirty a second. */
setInterval(() => {
  for (const [number, counts] of refusals) {
    for (const [refusal, count] of counts) tell({ type: "refused", slot: number, refusal, count });
  }
  refusals.clear();
}, TELL_REFUSALS_MS);

self.onmessage = (event: MessageEvent<ToWorker>) => {
  void obey(event.data);
};

self.onrtctransform = (event) => {
  const transformer = event.transformer;
  const options = transformer.options as TransformOptions;
  const pass =
    options.role === "seal" ? sealing(options.publication, options.kind) : opening(options.slot, options.kind);
  // It ends when the section it serves does.
  pump(transformer, pass).catch(() => undefined);
};
