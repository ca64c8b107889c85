/**
 * A chunk in the making: the place where law 2 is kept. Nothing leaves here before it matched a digest that leads back to
 * the origin's. Pure.
 */
import { DIGEST, digest, matches } from "./sha256";
import type { Held } from "./store";
import { BLOCK } from "./manifest";
import { join } from "./wire";

/** Blocks arrive in order; `next` is the first that lacks, and where another neighbour takes over. */
export interface Partial {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digests: Uint8Array;
  next: number;
}

/** A chunk of `length` bytes to be filled, if `digests` are the block digests that the chunk's digest stands for. */
export function begin(length: number, digests: Uint8Array, expected: Uint8Array): Partial | undefined {
  return matches(digests, expected) ? { bytes: new Uint8Array(length), digests, next: 0 } : undefined;
}

/** Takes the next block, if it is the origin's. */
export function add(partial: Partial, bytes: Uint8Array): boolean {
  const { next, digests } = partial;
  const from = next * BLOCK;
  const length = Math.min(BLOCK, partial.bytes.length - from);
  if (bytes.length !== length || !matches(bytes, digests.subarray(next * DIGEST, (next + 1) * DIGEST))) return false;
  partial.bytes.set(bytes, from);
  partial.next++;
  return true;
}

/** A chunk that came whole, if it is the origin's. */
export function verify(bytes: Uint8Array<ArrayBuffer>, expected: Uint8Array): Held | undefined {
  const blocks = Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, at) => bytes.subarray(at * BLOCK, (at + 1) * BLOCK));
  const digests = join(blocks.map(digest));
  return matches(digests, expected) ? { bytes, digests } : undefined;
}
