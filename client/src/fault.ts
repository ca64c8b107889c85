/**
 * What a stranger did wrong: a closed list, the same as `src/swarm/fault.rs`, told to the broker in one byte. Not for
 * faults of ours.
 */
export enum Fault {
  Short = 1,
  Long = 2,
  Type = 3,
  Version = 4,
  Varint = 5,
  Ranges = 6,
  Chunk = 7,
  Block = 8,
  Credit = 9,
  Identity = 10,
  Candidate = 11,
  Value = 12,
  Room = 32,
  Order = 33,
  Unasked = 34,
  Digest = 35,
  Taker = 36,
  Flood = 37,
}
