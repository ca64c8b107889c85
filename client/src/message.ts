/**
 * What two visitors say to each other, and its bytes (`docs/protocol.md`, between visitors). Pure; whether a message is
 * allowed at this moment is the swarm's business.
 */
import { Faulty } from "./fault";
import { CREDIT_MOST } from "./ledger";
import { BLOCK, BLOCKS } from "./manifest";
import { spans, type Ranges } from "./ranges";
import { DIGEST } from "./sha256";
import { check, integer, read, varint, type Reader, type Refused } from "./wire";

/** Credit is in units of 2 KiB, `ranges` and `chunk` count chunks of the room, `block` counts within its chunk. */
export type Message =
  | { kind: "hello"; room: Uint8Array; id: number }
  | { kind: "have"; credit: number; ranges: Ranges }
  | { kind: "ask"; credit: number; chunk: number; block: number }
  | { kind: "cancel"; chunk: number }
  | { kind: "proof"; chunk: number; digests: Uint8Array }
  | { kind: "block"; credit: number; chunk: number; block: number; bytes: Uint8Array }
  | { kind: "lack"; chunk: number };

/** The version of the protocol that this code speaks. */
export const VERSION = 1;

export function encode(message: Message): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "hello":
      return Uint8Array.of(0x10, VERSION, ...message.room, ...integer(message.id, 4));
    case "have":
      return Uint8Array.from([0x11, message.credit, ...encodeRanges(message.ranges)]);
    case "ask":
      return Uint8Array.of(0x12, message.credit, ...integer(message.chunk, 4), message.block);
    case "cancel":
      return Uint8Array.of(0x13, ...integer(message.chunk, 4));
    case "proof":
      return Uint8Array.of(0x14, ...integer(message.chunk, 4), ...message.digests);
    case "block": {
      const bytes = new Uint8Array(7 + message.bytes.length);
      bytes.set([0x15, message.credit, ...integer(message.chunk, 4), message.block]);
      bytes.set(message.bytes, 7);
      return bytes;
    }
    case "lack":
      return Uint8Array.of(0x16, ...integer(message.chunk, 4));
  }
}

/** The message that `bytes` are; it may borrow them. */
export function decode(bytes: Uint8Array): Message | Refused {
  return read<Message>(bytes, MESSAGE_MOST, (from) => {
    switch (from.u8()) {
      case 0x10:
        check(from.u8() === VERSION, "version");
        return { kind: "hello", room: from.bytes(8), id: from.u32() };
      case 0x11:
        return { kind: "have", credit: credit(from), ranges: decodeRanges(from) };
      case 0x12:
        return { kind: "ask", credit: credit(from), chunk: chunk(from), block: block(from) };
      case 0x13:
        return { kind: "cancel", chunk: chunk(from) };
      case 0x14:
        return { kind: "proof", chunk: chunk(from), digests: digests(from) };
      case 0x15:
        return { kind: "block", credit: credit(from), chunk: chunk(from), block: block(from), bytes: payload(from) };
      case 0x16:
        return { kind: "lack", chunk: chunk(from) };
      default:
        throw new Faulty("type");
    }
  });
}

export function encodeRanges(ranges: Ranges): number[] {
  const bytes = varint(ranges.length / 2);
  let end = 0;
  spans(ranges, (from, to) => {
    bytes.push(...varint(from - end), ...varint(to - from));
    end = to;
  });
  return bytes;
}

export function decodeRanges(from: Reader): Ranges {
  const ranges: Ranges = [];
  const runs = from.varint();
  check(runs <= RANGES_MOST, "ranges");
  for (let end = 0, run = 0; run < runs; run++) {
    const gap = from.varint();
    const length = from.varint();
    check(length > 0 && (gap > 0 || run === 0), "ranges");
    ranges.push(end + gap, (end += gap + length));
    check(end <= CHUNKS_MOST, "chunk");
  }
  return ranges;
}

function credit(from: Reader): number {
  const units = from.u8();
  check(units <= CREDIT_MOST, "credit");
  return units;
}

function chunk(from: Reader): number {
  const number = from.u32();
  check(number < CHUNKS_MOST, "chunk");
  return number;
}

function block(from: Reader): number {
  const number = from.u8();
  check(number < BLOCKS, "block");
  return number;
}

function digests(from: Reader): Uint8Array {
  const left = from.left();
  check(left >= DIGEST, "short");
  check(left < DIGEST * (BLOCKS + 1), left % DIGEST ? "short" : "block");
  check(left % DIGEST === 0, "short");
  return from.bytes(left);
}

function payload(from: Reader): Uint8Array {
  const left = from.left();
  check(left > 0, "short");
  check(left <= BLOCK, "long");
  return from.bytes(left);
}

/** Bytes of the longest message that is looked at: a Have of the most ranges needs less than 20 KiB. */
const MESSAGE_MOST = 32 * 1024;
/** Chunk numbers are below this: 256 GiB of one page, so that no list of held chunks can grow without bound. */
const CHUNKS_MOST = 2 ** 24;
/** Most ranges in one Have: more than any page falls into, few enough to parse in no time. */
const RANGES_MOST = 4096;
