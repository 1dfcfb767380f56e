import { beforeAll, expect, test } from "vitest";
import { Opener, Sealer } from "../../src/e2ee/framecrypto.ts";
import { importedSecret, trackKey } from "../../src/e2ee/framekeys.ts";
import { type Assigned, ReceiveSlot } from "../../src/e2ee/receiving.ts";

let secret: CryptoKey;

beforeAll(async () => {
  secret = await importedSecret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
});

async function party(name: string): Promise<{ sealer: Sealer; assigned: Assigned }> {
  return {
    sealer: new Sealer(await trackKey(secret, name, "camera")),
    assigned: { track: name, opener: new Opener(await trackKey(secret, name, "camera")) },
  };
}

const FRAME = Uint8Array.of(0x31, 1, 0, 42);
const never = (): Promise<void> => new Promise(() => undefined);
const atOnce = (): Promise<void> => Promise.resolve();

test("a slot plays what it was told it holds, and says when that begins", async () => {
  const ada = await party("ada");
  const slot = new ReceiveSlot(never);
  slot.assign(ada.assigned);
  expect(await slot.open(await ada.sealer.seal(FRAME, "vp8"), "vp8")).toEqual({
    frame: FRAME,
    refusal: null,
    begins: "ada",
  });
  expect((await slot.open(await ada.sealer.seal(FRAME, "vp8"), "vp8")).begins).toBeNull();
});

test("nothing is played while nothing was assigned", async () => {
  const ada = await party("ada");
  const outcome = await new ReceiveSlot(atOnce).open(await ada.sealer.seal(FRAME, "vp8"), "vp8");
  expect(outcome).toEqual({ frame: null, refusal: "no_track", begins: null });
});

test("clear frames are not played", async () => {
  const ada = await party("ada");
  const slot = new ReceiveSlot(atOnce);
  slot.assign(ada.assigned);
  const picture = Uint8Array.from({ length: 100 }, (_, at) => at);
  expect((await slot.open(picture, "vp8")).frame).toBeNull();
});

test("a frame that comes before the message waits for it", async () => {
  const [ada, bob] = [await party("ada"), await party("bob")];
  const slot = new ReceiveSlot(never);
  slot.assign(ada.assigned);
  await slot.open(await ada.sealer.seal(FRAME, "vp8"), "vp8");
  const early = slot.open(await bob.sealer.seal(FRAME, "vp8"), "vp8");
  await new Promise((resolve) => setTimeout(resolve, 20));
  slot.assign(bob.assigned);
  expect(await early).toEqual({ frame: FRAME, refusal: null, begins: "bob" });
});

test("a frame whose message does not come is dropped, and those behind it do not wait again", async () => {
  const [ada, eve] = [await party("ada"), await party("eve")];
  let waits = 0;
  const slot = new ReceiveSlot(() => {
    waits += 1;
    return Promise.resolve();
  });
  slot.assign(ada.assigned);
  for (let count = 0; count < 5; count += 1) {
    expect((await slot.open(await eve.sealer.seal(FRAME, "vp8"), "vp8")).refusal).toBe("unknown_key");
  }
  expect(waits).toBe(1);
});

test("what is left of the one before is dropped at once: it would show under the next one's name", async () => {
  const [ada, bob] = [await party("ada"), await party("bob")];
  const slot = new ReceiveSlot(never);
  slot.assign(ada.assigned);
  slot.assign(bob.assigned);
  const late = await slot.open(await ada.sealer.seal(FRAME, "vp8"), "vp8");
  expect(late).toEqual({ frame: null, refusal: "previous_track", begins: null });
  expect((await slot.open(await bob.sealer.seal(FRAME, "vp8"), "vp8")).begins).toBe("bob");
});

test("a slot that changes hands while a frame is being opened does not play it", async () => {
  const [ada, bob] = [await party("ada"), await party("bob")];
  const slot = new ReceiveSlot(never);
  slot.assign(ada.assigned);
  const opening = slot.open(await ada.sealer.seal(FRAME, "vp8"), "vp8");
  slot.assign(bob.assigned);
  expect((await opening).frame).toBeNull();
});

test("a track that was opened in one slot is not played again in another", async () => {
  const ada = await party("ada");
  const [one, other] = [new ReceiveSlot(atOnce), new ReceiveSlot(atOnce)];
  one.assign(ada.assigned);
  other.assign(ada.assigned);
  const sealed = await ada.sealer.seal(FRAME, "vp8");
  expect((await one.open(sealed, "vp8")).frame).toEqual(FRAME);
  expect((await other.open(sealed.slice(), "vp8")).refusal).toBe("frame_replayed");
});
