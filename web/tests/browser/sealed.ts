/** Two peer connections in one page with the product's own sealing between them. `window.trial` runs one and says what
 * came of it. */

import { importedSecret } from "../../src/e2ee/framekeys.ts";
import { randomId, Sealing } from "../../src/e2ee/sealing.ts";
import { payloadTypes } from "../../src/media/encodings.ts";
import { patternTrack, toneTrack } from "./pattern.ts";

const HERE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const ELSEWHERE = "7ago4tEKXwt8i6TxD9IXJCPUmFvGsdOS26FkAJAmhxM";

export interface Plan {
  readonly codec: "VP8" | "VP9";
  /** `other`: the receiver has another meeting's key; `none`: what is received goes to the decoder as it came. */
  readonly receiver: "same" | "other" | "none";
  readonly sender: "sealed" | "clear";
  /** Which track the receiver is told that the slot holds. */
  readonly assigned: "right" | "another" | "nothing" | "late";
}

export interface Came {
  readonly framesDecoded: number;
  readonly keyFramesDecoded: number;
  readonly packetsReceived: number;
  readonly framesSent: number;
  readonly audioEnergy: number;
  readonly audioPackets: number;
  readonly pixel: readonly number[];
  readonly flowing: readonly string[];
  readonly refusals: readonly string[];
}

interface Sections {
  readonly video: RTCRtpTransceiver;
  readonly audio: RTCRtpTransceiver;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function connected(from: RTCPeerConnection, to: RTCPeerConnection): Promise<void> {
  from.onicecandidate = ({ candidate }) => void to.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  to.onicecandidate = ({ candidate }) => void from.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription!);
}

function prefer(one: RTCRtpTransceiver, codec: string): void {
  const codecs = RTCRtpReceiver.getCapabilities("video")!.codecs;
  one.setCodecPreferences(codecs.filter((can) => can.mimeType === `video/${codec}`));
}

async function publish(
  peer: RTCPeerConnection,
  sealing: Sealing | null,
  codec: string,
): Promise<{ sections: Sections; cids: string[] }> {
  const video = peer.addTransceiver(patternTrack("#c02080"), { direction: "sendonly" });
  const audio = peer.addTransceiver(await toneTrack(440), { direction: "sendonly" });
  prefer(video, codec);
  const cids = [randomId(), randomId()];
  for (const [place, section] of [video, audio].entries()) {
    if (sealing === null) continue;
    const { transform, publication } = sealing.sealingTransform(place === 0 ? "video" : "audio");
    section.sender.transform = transform;
    sealing.publish(publication, cids[place]!);
  }
  return { sections: { video, audio }, cids };
}

async function pixelOf(track: MediaStreamTrack): Promise<readonly number[]> {
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = new MediaStream([track]);
  await Promise.race([video.play(), pause(500)]);
  if (video.videoWidth === 0) return [];
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = canvas.getContext("2d")!;
  context.drawImage(video, 0, 0);
  return [...context.getImageData(video.videoWidth / 2, 40, 1, 1).data.slice(0, 3)];
}

export async function trial(plan: Plan): Promise<Came> {
  const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
  const sending = plan.sender === "sealed" ? await Sealing.start(await importedSecret(HERE)) : null;
  const receiving =
    plan.receiver === "none"
      ? null
      : await Sealing.start(await importedSecret(plan.receiver === "same" ? HERE : ELSEWHERE));
  const { sections, cids } = await publish(from, sending, plan.codec);
  const [flowing, refusals]: [string[], string[]] = [[], []];
  const slots: number[] = [];
  if (receiving !== null) {
    receiving.events = {
      flowing: (_, track) => flowing.push(track),
      refused: (_, refusal) => refusals.push(refusal),
    };
  }
  to.ontrack = ({ transceiver, track }) => {
    const kind = track.kind as "audio" | "video";
    const opening = receiving?.openingTransform(kind);
    if (opening === undefined) return;
    transceiver.receiver.transform = opening.transform;
    slots.push(opening.slot);
  };
  await connected(from, to);
  const assign = (): void => {
    slots.forEach((slot, place) => {
      const cid = plan.assigned === "another" ? "another-publication" : cids[place]!;
      receiving?.assign(slot, { track: `track ${place}`, sender: sending?.sender ?? "nobody-sends-here", cid });
    });
  };
  if (plan.assigned !== "nothing" && plan.assigned !== "late") assign();
  await to.setLocalDescription();
  const types = payloadTypes(to.localDescription!.sdp);
  sending?.nameCodecs(types);
  receiving?.nameCodecs(types);
  await from.setRemoteDescription(to.localDescription!);
  const sound = document.createElement("audio");
  sound.srcObject = new MediaStream(
    to
      .getReceivers()
      .map((one) => one.track)
      .filter((track) => track.kind === "audio"),
  );
  void sound.play();
  const shown = to.getReceivers().find((one) => one.track.kind === "video")!.track;
  if (plan.assigned === "late") {
    await pause(1200);
    assign();
  }
  await pause(2500);
  const pixel = await pixelOf(shown);
  const came = { ...(await figures(from, to)), pixel, flowing, refusals: [...new Set(refusals)] };
  sections.video.sender.track?.stop();
  from.close();
  to.close();
  sending?.close();
  receiving?.close();
  return came;
}

async function figures(
  from: RTCPeerConnection,
  to: RTCPeerConnection,
): Promise<Omit<Came, "pixel" | "flowing" | "refusals">> {
  const received = [...(await to.getStats()).values()].filter((one) => one.type === "inbound-rtp");
  const sent = [...(await from.getStats()).values()].filter((one) => one.type === "outbound-rtp");
  const video = received.find((one) => one.kind === "video");
  const audio = received.find((one) => one.kind === "audio");
  return {
    framesDecoded: video?.framesDecoded ?? 0,
    keyFramesDecoded: video?.keyFramesDecoded ?? 0,
    packetsReceived: video?.packetsReceived ?? 0,
    framesSent: sent.find((one) => one.kind === "video")?.framesSent ?? 0,
    audioEnergy: audio?.totalAudioEnergy ?? 0,
    audioPackets: audio?.packetsReceived ?? 0,
  };
}

declare global {
  interface Window {
    trial: typeof trial;
  }
}

window.trial = trial;
