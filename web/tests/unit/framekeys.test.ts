/** The same vectors that hold the server's modules to their bytes. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromBase64Url, toBase64Url } from "../../src/e2ee/bytes.ts";
import { Opener, prefixLength, ReplayWindow, type SealedCodec, Sealer } from "../../src/e2ee/framecrypto.ts";
import { dataBaseKey, importedSecret, keyIdPrefix, trackBaseKey, trackKey } from "../../src/e2ee/framekeys.ts";
import { KeyRing } from "../../src/e2ee/keyring.ts";
import { buildHeader, derivedMaterial, parseHeader, SframeKey } from "../../src/e2ee/sframe.ts";

interface KeyVector {
  fragment: string;
  participant: string;
  track: string | null;
  epoch: number;
  key_id_prefix: number;
  key_id: number;
  base_key: string;
  sframe_key: string;
  sframe_salt: string;
}

interface FrameVector {
  codec: string;
  counter: number;
  clear: string;
  sealed: string;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../tests/media/fixtures/framekeys.json", import.meta.url), "utf8"),
) as { keys: KeyVector[]; frames: { key: number; sealed: FrameVector[] } };

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function derived(vector: KeyVector): Promise<{ keyId: number; bytes: Uint8Array<ArrayBuffer> }> {
  const secret = await importedSecret(vector.fragment);
  return vector.track === null
    ? dataBaseKey(secret, vector.participant, vector.epoch)
    : trackBaseKey(secret, vector.participant, vector.track, vector.epoch);
}

test("there are vectors to be held to", () => {
  expect(vectors.keys.length).toBeGreaterThan(5);
  expect(vectors.frames.sealed.length).toBeGreaterThan(3);
});

describe.each(vectors.keys)("the keys of $participant for $track in epoch $epoch", (vector) => {
  test("are those of everybody else", async () => {
    const secret = await importedSecret(vector.fragment);
    expect(await keyIdPrefix(secret, vector.participant)).toBe(vector.key_id_prefix);
    const base = await derived(vector);
    expect([base.keyId, hex(base.bytes)]).toEqual([vector.key_id, vector.base_key]);
    const material = await derivedMaterial(base.bytes, base.keyId);
    expect([hex(material.key), hex(material.salt)]).toEqual([vector.sframe_key, vector.sframe_salt]);
  });
});

describe.each(vectors.frames.sealed)("a $codec frame with counter $counter", (frame) => {
  const codec = frame.codec.toLowerCase() as SealedCodec;
  const prefix = prefixLength(codec, bytes(frame.clear)[0]!);
  const scheduled = async (): Promise<SframeKey> => {
    const base = await derived(vectors.keys[vectors.frames.key]!);
    return SframeKey.scheduled(base.bytes, base.keyId);
  };

  test("is sealed to the same bytes", async () => {
    const clear = bytes(frame.clear);
    const sealed = await (await scheduled()).seal(frame.counter, clear.slice(prefix), clear.slice(0, prefix));
    expect(hex(clear.subarray(0, prefix)) + hex(sealed)).toBe(frame.sealed);
  });

  test("is opened again, and never a second time", async () => {
    const opener = new Opener(await scheduled());
    expect(hex(await opener.open(bytes(frame.sealed), codec))).toBe(frame.clear);
    await expect(opener.open(bytes(frame.sealed), codec)).rejects.toThrow("frame_replayed");
  });

  test("is not opened with a single bit changed anywhere behind its key id", async () => {
    const sealed = bytes(frame.sealed);
    for (let at = prefix + 4; at < sealed.length; at += 1) {
      const changed = sealed.slice();
      changed[at]! ^= 0x10;
      await expect(new Opener(await scheduled()).open(changed, codec)).rejects.toThrow();
    }
    const prefixed = sealed.slice();
    // What stays clear is bound too; its first bit says how long it is.
    if (prefix > 0) prefixed[prefix - 1]! ^= 0x40;
    if (prefix > 0)
      await expect(new Opener(await scheduled()).open(prefixed, codec)).rejects.toThrow("sframe_unauthentic");
  });
});

test("a sealer counts by itself, over all codecs and layers, and a later frame opens before an earlier one", async () => {
  const secret = await importedSecret(vectors.keys[0]!.fragment);
  const sealer = new Sealer(await trackKey(secret, "ada", "camera"));
  const opener = new Opener(await trackKey(secret, "ada", "camera"));
  const frames = await Promise.all([1, 2, 3].map((value) => sealer.seal(Uint8Array.of(0x31, 1, 0, value), "vp8")));
  expect(frames.map((frame) => parseHeader(frame.subarray(3)).counter)).toEqual([0n, 1n, 2n]);
  expect((await opener.open(frames[2]!, "vp8"))[3]).toBe(3);
  expect((await opener.open(frames[0]!, "vp8"))[3]).toBe(1);
});

test("a twin that is opened at the same time is refused", async () => {
  const secret = await importedSecret(vectors.keys[0]!.fragment);
  const sealed = await new Sealer(await trackKey(secret, "ada", "camera")).seal(Uint8Array.of(0x78, 1, 2), "opus");
  const opener = new Opener(await trackKey(secret, "ada", "camera"));
  const outcomes = await Promise.allSettled([opener.open(sealed, "opus"), opener.open(sealed.slice(), "opus")]);
  expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("empty frames stay empty, and those shorter than what stays clear are refused", async () => {
  const secret = await importedSecret(vectors.keys[0]!.fragment);
  const sealer = new Sealer(await trackKey(secret, "ada", "camera"));
  expect(await sealer.seal(new Uint8Array(), "vp8")).toHaveLength(0);
  await expect(sealer.seal(Uint8Array.of(0x10, 0), "vp8")).rejects.toThrow("frame_short");
});

test("another track's key opens nothing, not even of the same person with the same key id", async () => {
  const secret = await importedSecret(vectors.keys[0]!.fragment);
  const camera = await trackKey(secret, "ada", "camera");
  const screen = await trackKey(secret, "ada", "screen");
  expect(camera.keyId).toBe(screen.keyId);
  const sealed = await new Sealer(camera).seal(Uint8Array.of(0x31, 1, 0, 7), "vp8");
  await expect(new Opener(screen).open(sealed, "vp8")).rejects.toThrow("sframe_unauthentic");
});

test("a track id is sealed for once only", async () => {
  const ring = new KeyRing(await importedSecret(vectors.keys[0]!.fragment), "ada");
  await ring.sealer("one");
  await expect(ring.sealer("one")).rejects.toThrow("published once");
});

test("messages open for whom they came from, once", async () => {
  const secret = await importedSecret(vectors.keys[0]!.fragment);
  const [ada, bob] = [new KeyRing(secret, "ada"), new KeyRing(secret, "bob")];
  const sealed = await ada.sealMessage(Uint8Array.of(1, 2, 3));
  expect(await bob.openMessage("eve", sealed)).toBeNull();
  expect(await bob.openMessage("ada", sealed)).toEqual(Uint8Array.of(1, 2, 3));
  expect(await bob.openMessage("ada", sealed)).toBeNull();
});

test("a secret has one spelling", async () => {
  const good = vectors.keys[0]!.fragment;
  await importedSecret(good);
  for (const bad of ["", good.slice(1), `${good}A`, `${good}=`, `${good.slice(0, -1)}9`, good.replace("A", "+")]) {
    await expect(importedSecret(bad)).rejects.toThrow("bad_link_secret");
  }
});

test("keys cannot be taken out", async () => {
  const secret = await importedSecret(vectors.keys[0]!.fragment);
  expect(secret.extractable).toBe(false);
  await expect(crypto.subtle.exportKey("raw", secret)).rejects.toThrow();
});

test("headers say each value in one way", () => {
  for (const [keyId, counter] of [
    [0, 0],
    [7, 8],
    [0x8d9b00, 255],
    [0xffffff, 2 ** 32 - 1],
  ] as const) {
    const header = buildHeader(keyId, counter);
    expect(parseHeader(header)).toEqual({ keyId: BigInt(keyId), counter: BigInt(counter), size: header.length });
  }
  expect(() => parseHeader(Uint8Array.of(0x80, 0x05))).toThrow("sframe_not_minimal");
  expect(() => parseHeader(Uint8Array.of(0x90, 0x00, 0x50))).toThrow("sframe_not_minimal");
  expect(() => parseHeader(Uint8Array.of(0xf0, 1, 2))).toThrow("sframe_short");
  expect(() => parseHeader(new Uint8Array())).toThrow("sframe_short");
});

test("a replay window holds what is near, and takes what is far behind for seen", () => {
  const window = new ReplayWindow(8);
  for (const counter of [0n, 2n, 9n]) window.see(counter);
  expect([0n, 1n, 2n, 3n, 8n, 9n, 10n].map((counter) => window.wasSeen(counter))).toEqual([
    true,
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
  window.see(2n ** 63n);
  expect(window.wasSeen(9n)).toBe(true);
  expect(window.wasSeen(2n ** 63n - 1n)).toBe(false);
});

test("base64url goes there and back", () => {
  for (let length = 0; length < 40; length += 1) {
    const data = crypto.getRandomValues(new Uint8Array(length));
    expect(fromBase64Url(toBase64Url(data))).toEqual(data);
  }
});
