/**
 * SHA-256 (FIPS 180-4), cut to 16 bytes, synchronous. Not `crypto.subtle`: a block must be judged inside `onmessage`,
 * before the next one, and per-kilobyte promises cost more than the hash.
 */

/** Bytes of a digest: 128 bits against a second preimage; the origin is the only author. */
export const DIGEST = 16;

/** The digest of `bytes`: 16 bytes, in a buffer of its own. */
export function digest(bytes: Uint8Array): Uint8Array {
  state.set(START);
  const { length } = bytes;
  const padded = new Uint8Array((length + 72) & ~63);
  padded.set(bytes);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  // The length in bits; messages here are far below 2^29 bytes, so 32 bits hold it.
  view.setUint32(padded.length - 4, length * 8);
  for (let at = 0; at < padded.length; at += 64) compress(view, at);
  for (let word = 0; word < DIGEST; word += 4) view.setInt32(word, state[word / 4]!);
  return padded.slice(0, DIGEST);
}

/** Whether `bytes` has this digest. Not in constant time: digests are public. */
export function matches(bytes: Uint8Array, expected: Uint8Array): boolean {
  return digest(bytes).join() === expected.join();
}

function compress(bytes: DataView, from: number): void {
  let [a, b, c, d, e, f, g, h] = state as Iterable<number> as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    if (t < 16) words[t] = bytes.getInt32(from + t * 4);
    else {
      const x = words[t - 15]!;
      const y = words[t - 2]!;
      words[t] = words[t - 16]! + (turns(x, 7, 18) ^ (x >>> 3)) + words[t - 7]! + (turns(y, 17, 19) ^ (y >>> 10));
    }
    const one = (h + (turns(e, 6, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[t]! + words[t]!) | 0;
    const two = (turns(a, 2, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g; g = f; f = e; e = (d + one) | 0;
    d = c; c = b; b = a; a = (one + two) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => (state[at]! += word));
}

function turns(word: number, by: number, and: number): number {
  return turn(word, by) ^ turn(word, and);
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** The first 32 bits of the fractions of roots of the first primes: where the standard takes its constants from. */
function fractions(count: number, root: (prime: number) => number): Int32Array {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) {
    let by = 2;
    while (n % by > 0) by++;
    if (by === n) found.push((root(n) % 1) * 2 ** 32);
  }
  return Int32Array.from(found, (fraction) => fraction | 0);
}

const START = fractions(8, Math.sqrt);
const ROUND = fractions(64, Math.cbrt);
const state = new Int32Array(8);
const words = new Int32Array(64);
