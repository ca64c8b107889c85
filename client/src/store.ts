/**
 * Verified chunks in memory, within a budget of bytes. Pure: whoever puts a chunk in has verified it (law 2).
 */

/** A chunk and the digests of its blocks, which a neighbour gets ahead of them. */
export interface Held {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digests: Uint8Array;
}

export interface Store {
  get(chunk: number): Held | undefined;
  /** Keeps a chunk; tells which older ones had to go for it. */
  put(chunk: number, held: Held): number[];
}

/** A store of `budget` bytes that lets go of what was used longest ago. */
export function memory(budget: number): Store {
  // A Map remembers the order of insertion; a chunk that is used is inserted again.
  const chunks = new Map<number, Held>();
  let size = 0;
  return {
    get(chunk) {
      const held = chunks.get(chunk);
      if (held) {
        chunks.delete(chunk);
        chunks.set(chunk, held);
      }
      return held;
    },
    put(chunk, held) {
      size += held.bytes.length - (chunks.get(chunk)?.bytes.length ?? 0);
      chunks.delete(chunk);
      chunks.set(chunk, held);
      const gone: number[] = [];
      for (const [oldest, { bytes }] of chunks) {
        if (size <= budget) break;
        size -= bytes.length;
        chunks.delete(oldest);
        gone.push(oldest);
      }
      return gone;
    },
  };
}
