import { expect, test } from "vitest";
import { Coalescer } from "../../src/media/coalescer.ts";
import { activity, encodings, layers, payloadTypes, tunedAnswer } from "../../src/media/encodings.ts";
import { FactsReader } from "../../src/media/facts.ts";
import { Wants } from "../../src/media/wants.ts";
import { backOff } from "../../src/signaling/socket.ts";
import { readLink } from "../../src/link.ts";
import { hueOf, initialsOf } from "../../src/ui/tile.ts";

const ANSWER = [
  "v=0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "a=mid:0",
  "a=rtpmap:111 opus/48000/2",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 109",
  "a=mid:1",
  "a=rtpmap:109 opus/48000/2",
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
  "a=mid:2",
  "a=rtpmap:96 VP8/90000",
  "a=rtpmap:97 rtx/90000",
  "",
].join("\r\n");

test("speech stops in silence and a screen's sound is stereo; other sections stay as they are", () => {
  const tuned = tunedAnswer(
    ANSWER,
    new Map([
      ["0", "microphone"],
      ["1", "screen_audio"],
    ] as const),
  );
  expect(tuned).toContain("a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n");
  expect(tuned).toContain("a=rtpmap:109 opus/48000/2\r\na=fmtp:109 stereo=1;maxaveragebitrate=128000\r\n");
  expect(tuned.split("m=video")[1]).toBe(ANSWER.split("m=video")[1]);
  expect(tunedAnswer(ANSWER, new Map())).toBe(ANSWER);
});

test("a parameter that was there is said once", () => {
  const once = tunedAnswer(ANSWER, new Map([["0", "microphone"]] as const));
  expect(tunedAnswer(once, new Map([["0", "microphone"]] as const))).toBe(once);
});

test("payload types are read of every section", () => {
  expect([...payloadTypes(ANSWER)]).toEqual([
    [111, "audio/opus"],
    [109, "audio/opus"],
    [96, "video/VP8"],
    [97, "video/rtx"],
  ]);
});

test("a camera is sent in three sizes, the smallest first, and a screen in one", () => {
  expect(encodings("camera").map((one) => [one.rid, one.scaleResolutionDownBy])).toEqual([
    ["q", 4],
    ["h", 2],
    ["f", 1],
  ]);
  expect(layers("camera", 1280, 720).map((one) => one.width)).toEqual([320, 640, 1280]);
  expect([encodings("screen").length, layers("screen", 1920, 1080).length]).toEqual([1, 0]);
});

test("what nobody sees is not sent", () => {
  expect(activity(3, 2)).toEqual([true, true, true]);
  expect(activity(3, 0)).toEqual([true, false, false]);
  expect(activity(3, null)).toEqual([false, false, false]);
  expect(activity(1, 2)).toEqual([true]);
  expect(activity(1, null)).toEqual([false]);
});

test("one negotiation runs at a time, and whatever was asked for meanwhile is one more", async () => {
  let running = 0;
  let runs = 0;
  const coalescer = new Coalescer(async () => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
    runs += 1;
  });
  const first = coalescer.request();
  await Promise.all([first, coalescer.request(), coalescer.request(), coalescer.request()]);
  expect(runs).toBe(2);
});

test("a negotiation that failed does not keep the next from running", async () => {
  let fails = true;
  const coalescer = new Coalescer(async () => {
    if (fails) throw new Error("refused");
  });
  await expect(coalescer.request()).rejects.toThrow("refused");
  fails = false;
  await coalescer.request();
});

test("sizes are told when they differ enough to matter", () => {
  const wants = new Wants();
  const shown = (width: number): Map<string, { width: number; height: number }> =>
    new Map([["v", { width, height: 360 }]]);
  expect(wants.due(shown(640), ["v", "w"])).toEqual([
    { track: "v", size: { width: 640, height: 360 } },
    { track: "w", size: null },
  ]);
  expect(wants.due(shown(660), ["v", "w"])).toEqual([]);
  expect(wants.due(shown(900), ["v", "w"])).toHaveLength(1);
  expect(wants.due(new Map(), ["v", "w"])).toEqual([{ track: "v", size: null }]);
});

test("a size that creeps is told in the end", () => {
  const wants = new Wants();
  const told = Array.from({ length: 40 }, (_, step) =>
    wants.due(new Map([["v", { width: 300 + step * 10, height: 300 }]]), ["v"]),
  );
  expect(told.filter((due) => due.length > 0).length).toBeGreaterThan(5);
});

test("waiting doubles up to a bound, and nobody waits exactly as long as another", () => {
  expect(backOff(0, 0.5)).toBe(300);
  expect(backOff(1, 0.5)).toBe(600);
  expect(backOff(50, 0.5)).toBe(8000);
  expect(backOff(3, 0)).toBeLessThan(backOff(3, 1));
});

test("rates come from two readings, and layers of a simulcast add up", () => {
  const reader = new FactsReader();
  const reading = (timestamp: number, bytes: number): Parameters<FactsReader["read"]>[0] => [
    {
      type: "outbound-rtp",
      mid: "0",
      rid: "q",
      timestamp,
      bytesSent: bytes,
      frameHeight: 180,
      frameWidth: 320,
      framesPerSecond: 30,
      framesEncoded: 10,
    },
    {
      type: "outbound-rtp",
      mid: "0",
      rid: "f",
      timestamp,
      bytesSent: 3 * bytes,
      frameHeight: 720,
      frameWidth: 1280,
      framesPerSecond: 30,
      framesEncoded: 9,
    },
    { type: "candidate-pair", timestamp },
  ];
  expect(reader.read(reading(1000, 1000)).get("0")?.bitrate).toBe(0);
  const facts = reader.read(reading(2000, 2000)).get("0");
  expect([facts?.height, facts?.frames, facts?.bitrate]).toEqual([720, 10, 32000]);
});

test("links are read in any order, and what is missing is named", () => {
  expect(readLink("#room=r&token=t.t.t&k=abc")).toEqual({ room: "r", token: "t.t.t", secret: "abc" });
  expect(readLink("#k=abc&token=t&room=r")).toEqual({ room: "r", token: "t", secret: "abc" });
  expect(readLink("#room=r&token=t")).toEqual({ room: "r", token: "t", secret: null });
  expect([readLink(""), readLink("#room=r"), readLink("#token=t")]).toEqual(["no_link", "no_token", "no_room"]);
});

test("initials are of the first and the last name, in any script", () => {
  expect(["Ada Lovelace", "zoë", "  ", "李 小龙", "👩‍🚀 Space"].map(initialsOf)).toEqual(["AL", "Z", "?", "李小", "👩S"]);
  expect(hueOf("x")).toBe(hueOf("x"));
});
