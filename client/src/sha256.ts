/**
 * SHA-256 (FIPS 180-4), cut to 16 bytes, synchronous. Not `crypto.subtle`: a block must be judged inside `onmessage`,
 * before the next one, and per-kilobyte promises cost more than the hash.
 */

/** Bytes of a digest: 128 bits against a second preimage; the origin is the only author. */
export const DIGEST = 16;

/** The digest of `bytes`: 16 bytes, in a buffer of its own. */
export function digest(bytes: Uint8Array): Uint8Array {
  state.set(START);
  const whole = bytes.length & ~63;
  for (let at = 0; at < whole; at += 64) compress(bytes, at);

  const rest = bytes.length - whole;
  const padded = rest < 56 ? 64 : 128;
  tail.fill(0);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  // The length in bits; messages here are far below 2^29 bytes, so 32 bits hold it.
  new DataView(tail.buffer).setUint32(padded - 4, bytes.length * 8);
  for (let at = 0; at < padded; at += 64) compress(tail, at);

  const cut = new Uint8Array(DIGEST);
  const view = new DataView(cut.buffer);
  for (let word = 0; word < DIGEST / 4; word++) view.setInt32(word * 4, state[word] ?? 0);
  return cut;
}

/** Whether `bytes` has this digest. Not in constant time: digests are public. */
export function matches(bytes: Uint8Array, expected: Uint8Array): boolean {
  const found = digest(bytes);
  return expected.length === DIGEST && found.every((byte, at) => byte === expected[at]);
}

function compress(bytes: Uint8Array, from: number): void {
  for (let t = 0; t < 16; t++) {
    const at = from + t * 4;
    words[t] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
  for (let t = 16; t < 64; t++) {
    const x = words[t - 15]!;
    const y = words[t - 2]!;
    const small0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const small1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    words[t] = (words[t - 16]! + small0 + words[t - 7]! + small1) | 0;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!;
  let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let t = 0; t < 64; t++) {
    const big1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const one = (h + big1 + ((e & f) ^ (~e & g)) + ROUND[t]! + words[t]!) | 0;
    const big0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const two = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0;
    d = c; c = b; b = a; a = (one + two) | 0;
  }
  state[0]! += a; state[1]! += b; state[2]! += c; state[3]! += d;
  state[4]! += e; state[5]! += f; state[6]! += g; state[7]! += h;
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** The first 32 bits of the fractions of roots of the first primes: where the standard takes its constants from. */
function fractions(count: number, root: (prime: number) => number): Int32Array {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) {
    let prime = true;
    for (let by = 2; by * by <= n; by++) prime &&= n % by !== 0;
    if (prime) found.push((root(n) % 1) * 2 ** 32);
  }
  return Int32Array.from(found, (fraction) => fraction | 0);
}

const START = fractions(8, Math.sqrt);
const ROUND = fractions(64, Math.cbrt);
const state = new Int32Array(8);
const words = new Int32Array(64);
const tail = new Uint8Array(128);
