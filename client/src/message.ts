/**
 * What two visitors say to each other, and its bytes (`docs/protocol.md`, between visitors). Pure; whether a message is
 * allowed at this moment is the swarm's business.
 */
import { Fault } from "./fault";
import { CREDIT_MOST } from "./ledger";
import { BLOCK, BLOCKS } from "./manifest";
import { spans, type Ranges } from "./ranges";
import { DIGEST } from "./sha256";
import { bytes, check, decodeAll, integer, join, oneOf, rest, varint, type Field, type Refused } from "./wire";

/** Credit is in units of 2 KiB, `ranges` and `chunk` count chunks of the room, `block` counts within its chunk. */
export type Message =
  | { kind: "hello"; room: Uint8Array; id: number }
  | { kind: "have"; credit: number; ranges: Ranges }
  | { kind: "ask"; credit: number; chunk: number; block: number }
  | { kind: "cancel"; chunk: number }
  | { kind: "proof"; chunk: number; digests: Uint8Array }
  | { kind: "block"; credit: number; chunk: number; block: number; bytes: Uint8Array }
  | { kind: "lack"; chunk: number };

export function encode(message: Message): Uint8Array<ArrayBuffer> {
  return any.write(message) as Uint8Array<ArrayBuffer>;
}

/** The message that `from` is; it may borrow it. */
export function decode(from: Uint8Array): Message | Refused {
  return decodeAll(from, MESSAGE_MOST, any);
}

/** A field behind the version of the protocol that this code speaks. */
export function versioned<T>(field: Field<T>): Field<T> {
  return {
    read(from) {
      check(from.integer(1) === 1, Fault.Version);
      return field.read(from);
    },
    write: (value) => join([[1], field.write(value)]),
  };
}

/** Bytes of the longest message that is looked at: a Have of the most ranges needs less than 20 KiB. */
const MESSAGE_MOST = 32 * 1024;
/** Chunk numbers are below this: 256 GiB of one page, so that no list of held chunks can grow without bound. */
const CHUNKS_MOST = 2 ** 24;
/** Most ranges in one Have: more than any page falls into, few enough to parse in no time. */
const RANGES_MOST = 4096;

const ranges: Field<Ranges> = {
  read(from) {
    const found: Ranges = [];
    const runs = varint.read(from);
    check(runs <= RANGES_MOST, Fault.Ranges);
    for (let end = 0, run = 0; run < runs; run++) {
      const gap = varint.read(from);
      const length = varint.read(from);
      check(length > 0 && (gap > 0 || run === 0), Fault.Ranges);
      found.push(end + gap, (end += gap + length));
      check(end <= CHUNKS_MOST, Fault.Chunk);
    }
    return found;
  },
  write(held) {
    const parts = [varint.write(held.length / 2)];
    let end = 0;
    spans(held, (from, to) => {
      parts.push(varint.write(from - end), varint.write(to - from));
      end = to;
    });
    return join(parts);
  },
};

/** Whole digests; the message ends with them. */
const digests: Field<Uint8Array> = {
  read(from) {
    const found = rest(DIGEST, BLOCKS * DIGEST).read(from);
    check(found.length % DIGEST === 0, Fault.Short);
    return found;
  },
  write: (value) => value,
};

const credit = integer(1, CREDIT_MOST + 1, Fault.Credit);
const chunk = integer(4, CHUNKS_MOST, Fault.Chunk);
const block = integer(1, BLOCKS, Fault.Block);

const any = oneOf<Message>(
  {
    hello: [0x10, { room: versioned(bytes(8)), id: integer(4) }],
    have: [0x11, { credit, ranges }],
    ask: [0x12, { credit, chunk, block }],
    cancel: [0x13, { chunk }],
    proof: [0x14, { chunk, digests }],
    block: [0x15, { credit, chunk, block, bytes: rest(1, BLOCK) }],
    lack: [0x16, { chunk }],
  },
  Fault.Type,
);
