/** SFrame (RFC 9605) with the one suite of Secure rooms, AES_256_GCM_SHA512_128: the header and the keys. */

import { bigEndian, type Bytes, joined, utf8 } from "./bytes.ts";
import { BadFrame } from "./problems.ts";

export const TAG_LENGTH = 16;
const SUITE = 0x0005;
const KEY_LENGTH = 32;
const NONCE_LENGTH = 12;
/** A value up to here stands in the config byte itself (RFC 9605, section 4.3). */
const LARGEST_INLINE = 7;

export interface Header {
  readonly keyId: bigint;
  readonly counter: bigint;
  /** Bytes that it took. */
  readonly size: number;
}

/** One value has one encoding: longer ones are refused, as section 4.3 demands the minimum. */
export function parseHeader(data: Uint8Array): Header {
  const config = data[0];
  if (config === undefined) throw new BadFrame("sframe_short");
  const [keyId, after] = field(data, 1, config >> 4);
  const [counter, size] = field(data, after, config & 0xf);
  return { keyId, counter, size };
}

export function buildHeader(keyId: number, counter: number): Bytes {
  const [upper, keyBytes] = encoded(keyId);
  const [lower, counterBytes] = encoded(counter);
  return joined(Uint8Array.of((upper << 4) | lower), keyBytes, counterBytes);
}

function field(data: Uint8Array, at: number, nibble: number): [bigint, number] {
  if (nibble <= LARGEST_INLINE) return [BigInt(nibble), at];
  const end = at + (nibble & 7) + 1;
  if (end > data.length) throw new BadFrame("sframe_short");
  let value = 0n;
  for (const byte of data.subarray(at, end)) value = (value << 8n) | BigInt(byte);
  if (data[at] === 0 || value <= LARGEST_INLINE) throw new BadFrame("sframe_not_minimal");
  return [value, end];
}

function encoded(value: number): [number, Bytes] {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError("not a value of a header that we write");
  if (value <= LARGEST_INLINE) return [value, new Uint8Array()];
  const length = Math.ceil(value.toString(16).length / 2);
  return [8 | (length - 1), bigEndian(value, length)];
}

export interface Material {
  readonly key: Bytes;
  readonly salt: Bytes;
}

/** What section 4.4.2 derives from a base key for one key id. The extraction has an empty salt. */
export async function derivedMaterial(baseKey: Bytes, keyId: number): Promise<Material> {
  const base = await crypto.subtle.importKey("raw", baseKey, "HKDF", false, ["deriveBits"]);
  const suffix = joined(bigEndian(keyId, 8), bigEndian(SUITE, 2));
  const [key, salt] = await Promise.all([
    expanded(base, joined(utf8("SFrame 1.0 Secret key "), suffix), KEY_LENGTH),
    expanded(base, joined(utf8("SFrame 1.0 Secret salt "), suffix), NONCE_LENGTH),
  ]);
  return { key, salt };
}

export async function expanded(input: CryptoKey, info: Bytes, length: number): Promise<Bytes> {
  const algorithm = { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, input, 8 * length));
}

function nonce(salt: Uint8Array, counter: bigint): Bytes {
  const bytes = Uint8Array.from(salt);
  let rest = counter;
  for (let at = NONCE_LENGTH - 1; rest > 0n; at -= 1) {
    bytes[at]! ^= Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** A key id with its key, which nobody can take out of the browser. `metadata` is bound to the frame and travels beside
 * it (section 4.4.3). */
export class SframeKey {
  private constructor(
    readonly keyId: number,
    private readonly key: CryptoKey,
    private readonly salt: Bytes,
  ) {}

  static async scheduled(baseKey: Bytes, keyId: number): Promise<SframeKey> {
    const { key, salt } = await derivedMaterial(baseKey, keyId);
    const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
    key.fill(0);
    baseKey.fill(0);
    return new SframeKey(keyId, imported, salt);
  }

  /** Header, ciphertext and tag. Whoever calls never uses a counter twice. */
  async seal(counter: number, plaintext: Bytes, metadata: Bytes): Promise<Bytes> {
    const header = buildHeader(this.keyId, counter);
    const sealed = await crypto.subtle.encrypt(this.terms(BigInt(counter), header, metadata), this.key, plaintext);
    return joined(header, new Uint8Array(sealed));
  }

  /** `data` begins with the `header` that was parsed from it, under this key's id. */
  async open(data: Bytes, header: Header, metadata: Bytes): Promise<Bytes> {
    if (data.length < header.size + TAG_LENGTH) throw new BadFrame("sframe_short");
    const terms = this.terms(header.counter, data.subarray(0, header.size), metadata);
    try {
      return new Uint8Array(await crypto.subtle.decrypt(terms, this.key, data.subarray(header.size)));
    } catch {
      throw new BadFrame("sframe_unauthentic");
    }
  }

  private terms(counter: bigint, header: Bytes, metadata: Bytes): AesGcmParams {
    return {
      name: "AES-GCM",
      iv: nonce(this.salt, counter),
      additionalData: joined(header, metadata),
      tagLength: 8 * TAG_LENGTH,
    };
  }
}
