/**
 * What a stranger did wrong: a closed list, the same as `src/swarm/fault.rs`, told to the broker in one byte. Not for
 * faults of ours.
 */

/** The number of each fault in an Accuse message. */
export const FAULTS = {
  short: 1,
  long: 2,
  type: 3,
  version: 4,
  varint: 5,
  ranges: 6,
  chunk: 7,
  block: 8,
  credit: 9,
  identity: 10,
  candidate: 11,
  value: 12,
  room: 32,
  order: 33,
  unasked: 34,
  digest: 35,
  taker: 36,
  flood: 37,
} as const;

export type Fault = keyof typeof FAULTS;

/** Thrown inside the codecs, caught at their door: nothing else sees it. */
export class Faulty extends Error {
  constructor(readonly fault: Fault) {
    super();
  }
}
