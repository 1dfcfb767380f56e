/** Keys of media and messages, derived by every participant alike from the secret in the link, which no server sees.
 * The same derivation as media/framekeys.py; tests/media/fixtures/framekeys.json holds both to the same bytes. */

import { bigEndian, type Bytes, fromBase64Url, joined, utf8 } from "./bytes.ts";
import { BadFrame } from "./problems.ts";
import { expanded, SframeKey } from "./sframe.ts";

const SECRET_LENGTH = 32;
const BASE_KEY_LENGTH = 32;
const LONGEST_ID = 255;
const LAST_EPOCH = 2 ** 32 - 1;

const FRAME_LABEL = utf8("secureconnect frame key 1");
const DATA_LABEL = utf8("secureconnect data key 1");
const KEY_ID_LABEL = utf8("secureconnect key id 1");

/** The value of `k` in the fragment as a key that derives others and cannot be read. Throws BadFrame
 * `bad_link_secret`, also for another spelling of the same bytes. */
export async function importedSecret(text: string): Promise<CryptoKey> {
  const bytes = fromBase64Url(text);
  if (bytes?.length !== SECRET_LENGTH) throw new BadFrame("bad_link_secret");
  const secret = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
  bytes.fill(0);
  return secret;
}

/** What the server is told: 16 bits, which say nothing of the secret. */
export async function keyIdPrefix(secret: CryptoKey, sender: string): Promise<number> {
  const [upper, lower] = await expanded(secret, joined(KEY_ID_LABEL, idBytes(sender)), 2);
  return (upper! << 8) | lower! | 0x8000;
}

export function keyId(prefix: number, epoch: number): number {
  return prefix * 256 + (epoch % 256);
}

export interface BaseKey {
  readonly keyId: number;
  readonly bytes: Bytes;
}

/** Throws RangeError for ids that are empty or longer than 255 bytes, and for epochs beyond 32 bits. */
export async function trackBaseKey(secret: CryptoKey, sender: string, cid: string, epoch = 0): Promise<BaseKey> {
  return baseKey(secret, sender, joined(FRAME_LABEL, idBytes(sender), idBytes(cid), epochBytes(epoch)), epoch);
}

/** As `trackBaseKey`, for the messages that a participant sends on all channels. */
export async function dataBaseKey(secret: CryptoKey, sender: string, epoch = 0): Promise<BaseKey> {
  return baseKey(secret, sender, joined(DATA_LABEL, idBytes(sender), epochBytes(epoch)), epoch);
}

export async function trackKey(secret: CryptoKey, sender: string, cid: string): Promise<SframeKey> {
  const base = await trackBaseKey(secret, sender, cid);
  return SframeKey.scheduled(base.bytes, base.keyId);
}

export async function dataKey(secret: CryptoKey, sender: string): Promise<SframeKey> {
  const base = await dataBaseKey(secret, sender);
  return SframeKey.scheduled(base.bytes, base.keyId);
}

async function baseKey(secret: CryptoKey, sender: string, info: Bytes, epoch: number): Promise<BaseKey> {
  const [prefix, bytes] = await Promise.all([keyIdPrefix(secret, sender), expanded(secret, info, BASE_KEY_LENGTH)]);
  return { keyId: keyId(prefix, epoch), bytes };
}

function idBytes(text: string): Bytes {
  const encoded = utf8(text);
  if (encoded.length === 0 || encoded.length > LONGEST_ID) throw new RangeError(`an id has 1 to ${LONGEST_ID} bytes`);
  return joined(bigEndian(encoded.length, 2), encoded);
}

function epochBytes(epoch: number): Bytes {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > LAST_EPOCH) throw new RangeError("an epoch has 32 bits");
  return bigEndian(epoch, 4);
}
