/** How each kind of track is sent. */

import type { Source } from "../signaling/messages.ts";

export interface Layer {
  readonly rid: string;
  readonly width: number;
  readonly height: number;
}

/** From the lowest up, as the server counts them. The bitrates are what VP8 needs for a talking head at 30 frames. */
const CAMERA = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
] as const;

/** One encoding: text at a quarter of its size is of no use to anybody, and browsers send screens in one anyway. */
const SCREEN_BITRATE = 2_500_000;

export function encodings(source: Source): RTCRtpEncodingParameters[] {
  if (source === "camera") return CAMERA.map((one) => ({ ...one, active: true }));
  if (source === "screen") return [{ maxBitrate: SCREEN_BITRATE, maxFramerate: 15 }];
  return [{}];
}

export function layers(source: Source, width: number, height: number): readonly Layer[] {
  if (source !== "camera") return [];
  return CAMERA.map(({ rid, scaleResolutionDownBy }) => ({
    rid,
    width: Math.round(width / scaleResolutionDownBy),
    height: Math.round(height / scaleResolutionDownBy),
  }));
}

/** `active` for each of `count` encodings, where `wanted` is the highest that anybody sees, null for none. Only a
 * simulcast has some to spare: a track with one encoding stops where nobody sees it. */
export function activity(count: number, wanted: number | null): readonly boolean[] {
  return Array.from({ length: count }, (_, place) => wanted !== null && (count === 1 || place <= wanted));
}

const OPUS = /^a=rtpmap:(\d+) opus\/48000/im;

/** The answer, with what our encoder of sound is to do: what a browser sends hangs on the other side's parameters.
 * Speech stops sending in silence (DTX); the sound of a screen may be music, in stereo. */
export function tunedAnswer(sdp: string, sounds: ReadonlyMap<string, Source>): string {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => {
      const source = sounds.get(/^a=mid:(\S+)/m.exec(section)?.[1] ?? "");
      const opus = OPUS.exec(section)?.[1];
      if (source === undefined || opus === undefined) return section;
      return withParameters(
        section,
        opus,
        source === "microphone" ? ["usedtx=1"] : ["stereo=1", "maxaveragebitrate=128000"],
      );
    })
    .join("");
}

function withParameters(section: string, payloadType: string, added: readonly string[]): string {
  const line = new RegExp(`^a=fmtp:${payloadType} (.*?)(\\r?)$`, "m");
  if (line.test(section)) {
    return section.replace(line, (_, had: string, end: string) => {
      const names = new Set(added.map((one) => one.split("=")[0]));
      const kept = had.split(";").filter((one) => one !== "" && !names.has(one.trim().split("=")[0]));
      return `a=fmtp:${payloadType} ${[...kept, ...added].join(";")}${end}`;
    });
  }
  return section.replace(/^(a=rtpmap:.*opus.*?)(\r?\n)/im, `$1$2a=fmtp:${payloadType} ${added.join(";")}$2`);
}

/** By payload type, in the words of `RTCRtpCodec.mimeType`. */
export function payloadTypes(sdp: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const section of sdp.split(/(?=^m=)/m)) {
    const kind = /^m=(audio|video)/.exec(section)?.[1];
    if (kind === undefined) continue;
    for (const match of section.matchAll(/^a=rtpmap:(\d+) ([^/]+)\//gm))
      found.set(Number(match[1]), `${kind}/${match[2]}`);
  }
  return found;
}
