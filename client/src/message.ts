/**
 * What two visitors say to each other, and its bytes (`docs/protocol.md`, between visitors). Pure; whether a message is
 * allowed at this moment is the swarm's business.
 */
import { body, type Body } from "./body";
import { DIGEST } from "./sha256";
import { BLOCK, BLOCKS, TOLD_MOST } from "./manifest";
import { Fault } from "./fault";
import { bytes, check, decodeAll, integer, join, many, oneOf, rest, varint, type Field, type Refused } from "./wire";
import { CREDIT_MOST } from "./ledger";
import type { Ranges } from "./ranges";

/** The types; what no visitor says is none of them. */
export enum Kind {
  Hello = 0x10,
  Have,
  Ask,
  Cancel,
  Proof,
  Block,
  Lack,
  Seek,
  Meet,
  Signal,
  Relayed,
  Learn,
  Digests,
}

/** Credit is in units of 2 KiB, `ranges` and `chunk` count chunks of the room, `block` counts within its chunk. */
export type Message =
  | { kind: Kind.Hello; wireVersion: number; room: Uint8Array; id: number }
  | { kind: Kind.Have; credit: number; ranges: Ranges }
  | { kind: Kind.Ask; credit: number; chunk: number; block: number }
  | { kind: Kind.Cancel; chunk: number }
  | { kind: Kind.Proof; chunk: number; digests: Uint8Array }
  | { kind: Kind.Block; credit: number; chunk: number; block: number; bytes: Uint8Array }
  | { kind: Kind.Lack; chunk: number }
  /** Introduce `count` of your neighbours, none of those `known`. */
  | { kind: Kind.Seek; count: number; known: number[] }
  /** `gives` is 1 if the visitor has given the sender anything. */
  | { kind: Kind.Meet; visitor: number; gives: number }
  /** For a visitor that the receiver introduced; it arrives there as `Relayed`. */
  | { kind: Kind.Signal; to: number; body: Body }
  | { kind: Kind.Relayed; from: number; body: Body }
  /** Tell me the lists of digests that you know. */
  | { kind: Kind.Learn }
  /** The digests of all chunks of the object whose first is `chunk`. */
  | { kind: Kind.Digests; chunk: number; digests: Uint8Array };

export function encode(...messages: Message[]): Uint8Array<ArrayBuffer> {
  return join(messages.map(any.write));
}

/** The messages that `from` is; they may borrow it. A fault in one is a fault of all. */
export function decode(from: Uint8Array): Message[] | Refused {
  return decodeAll(from, (reader) => {
    const found: Message[] = [];
    do found.push(any.decode(reader));
    while (reader.left() > 0);
    return found;
  });
}

/** The version of the protocol that this code speaks. */
export const VERSION = 1;
export const version = integer(1, VERSION + 1, Fault.Version, VERSION);

/** Chunk numbers are below this: 256 GiB of one page, so that no list of held chunks can grow without bound. */
const CHUNKS_MOST = 2 ** 24;
/** Most ranges in one Have: more than any page falls into, few enough to parse in no time. */
const RANGES_MOST = 4096;
/** Introductions that one Seek is for, and visitors that it names: more than anybody has as neighbours. */
export const SEEK_MOST = 4;
export const KNOWN_MOST = 16;

const ranges: Field<Ranges> = {
  decode(from) {
    const found: Ranges = [];
    const runs = varint.decode(from);
    check(runs <= RANGES_MOST, Fault.Ranges);
    for (let end = 0, run = 0; run < runs; run++) {
      const gap = varint.decode(from);
      const length = varint.decode(from);
      check(length > 0 && (gap > 0 || run === 0), Fault.Ranges);
      found.push([end + gap, (end += gap + length)]);
      check(end <= CHUNKS_MOST, Fault.Chunk);
    }
    return found;
  },
  write(held) {
    const parts = [varint.write(held.length)];
    let end = 0;
    for (const [from, to] of held) {
      parts.push(varint.write(from - end), varint.write(to - from));
      end = to;
    }
    return join(parts);
  },
};

/** Digests behind their number: what is behind them may be another message. */
const list: Field<Uint8Array> = {
  decode: (from) => from.bytes(listed.decode(from) * DIGEST),
  write: (digests) => [digests.length / DIGEST, ...digests],
};

const listed = integer(1, TOLD_MOST + 1, Fault.Value, 1);
const credit = integer(1, CREDIT_MOST + 1, Fault.Credit);
const block = integer(1, BLOCKS, Fault.Block);
/** A chunk's number. */
export const chunk = integer(4, CHUNKS_MOST, Fault.Chunk);
/** A visitor's number. */
export const visitor = integer(4);

const any = oneOf<Message>(
  {
    [Kind.Hello]: { wireVersion: version, room: bytes(8), id: visitor },
    [Kind.Have]: { credit, ranges },
    [Kind.Ask]: { credit, chunk, block },
    [Kind.Cancel]: { chunk },
    [Kind.Proof]: { chunk, digests: rest(DIGEST, BLOCKS * DIGEST, DIGEST) },
    [Kind.Block]: { credit, chunk, block, bytes: rest(1, BLOCK) },
    [Kind.Lack]: { chunk },
    [Kind.Seek]: { count: integer(1, SEEK_MOST + 1, Fault.Value, 1), known: many(visitor, KNOWN_MOST) },
    [Kind.Meet]: { visitor, gives: integer(1, 2, Fault.Value) },
    [Kind.Signal]: { to: visitor, body },
    [Kind.Relayed]: { from: visitor, body },
    [Kind.Learn]: {},
    [Kind.Digests]: { chunk, digests: list },
  },
  Fault.Type,
);
