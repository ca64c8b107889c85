/**
 * How messages are laid out: each is a byte for its type and a list of fields, and every field knows how it is read,
 * bounded and written. Integers are big-endian. Knows no message.
 */
import { Fault } from "./fault";

/** What is found in bytes that are no message. */
export interface Refused {
  kind: 0;
  fault: Fault;
}

/** Takes bytes from the front of a message; refuses where it ends too soon. */
export interface Reader {
  /** An integer of `width` bytes. */
  integer(width: number): number;
  /** A view of the next `length` bytes, without a copy. */
  bytes(length: number): Uint8Array;
  /** How many bytes are left. */
  left(): number;
}

/** A part of a message. `write` gives its bytes. */
export interface Field<T> {
  decode: (from: Reader) => T;
  write: (value: T) => ArrayLike<number>;
}

/** The fields, in their order, of every kind of a union of messages; the kind is the type on the wire. */
export type Forms<M extends { kind: number }> = {
  [K in M["kind"]]: { [N in keyof Omit<Extract<M, { kind: K }>, "kind">]: Field<Extract<M, { kind: K }>[N]> };
};

/** The field that holds any of `forms`; a type that none of them has is `fault`. */
export function oneOf<M extends { kind: number }>(forms: Forms<M>, fault: Fault): Field<M>;
export function oneOf(all: Record<number, Record<string, Field<unknown>> | undefined>, fault: Fault): Field<Record<string, unknown> & { kind: number }> {
  return {
    decode(from) {
      const kind = from.integer(1);
      const fields = all[kind];
      check(fields, fault);
      const message: Record<string, unknown> & { kind: number } = { kind };
      for (const name in fields) message[name] = fields[name]!.decode(from);
      return message;
    },
    write(message) {
      return join([[message.kind], ...Object.entries(all[message.kind]!).map(([name, field]) => field.write(message[name]))]);
    },
  };
}

/** What `decode` makes of all of `bytes`. */
export function decodeAll<T>(bytes: Uint8Array, decode: (from: Reader) => T): T | Refused {
  try {
    check(bytes.length <= MOST, Fault.Long);
    const from = reader(bytes);
    const value = decode(from);
    check(from.left() === 0, Fault.Long);
    return value;
  } catch (error) {
    const { fault } = error as Faulty;
    if (!fault) throw error;
    return { kind: 0, fault };
  }
}

/** Ends the reading of a message with `fault` unless `holds`. */
export function check(holds: unknown, fault: Fault): asserts holds {
  if (!holds) throw Object.assign(new Error(), { fault });
}

/** An integer of `width` bytes, at least `least` and below `end`. */
export function integer(width: number, end = Infinity, fault = Fault.Value, least = 0): Field<number> {
  return {
    decode(from) {
      const value = from.integer(width);
      check(value >= least && value < end, fault);
      return value;
    },
    // What does not fit into a byte is cut off when it becomes one.
    write: (value) => Array.from({ length: width }, (_, at) => value / 256 ** (width - 1 - at)),
  };
}

/** Exactly `length` bytes. */
export function bytes(length: number): Field<Uint8Array> {
  return { decode: (from) => from.bytes(length), write: (value) => value };
}

/** Everything up to the end, at least `least` bytes and at most `most`, in whole `unit`s. */
export function rest(least: number, most: number, unit = 1): Field<Uint8Array> {
  return {
    decode(from) {
      check(from.left() >= least, Fault.Short);
      check(from.left() <= most, Fault.Long);
      check(from.left() % unit === 0, Fault.Short);
      return from.bytes(from.left());
    },
    write: (value) => value,
  };
}

/** At most `most` of `field`, which has four bytes; the message ends with them. */
export function many<T>(field: Field<T>, most: number): Field<T[]> {
  return {
    decode(from) {
      check(from.left() <= most * 4, Fault.Long);
      const found: T[] = [];
      while (from.left() > 0) found.push(field.decode(from));
      return found;
    },
    write: (values) => join(values.map((value) => field.write(value))),
  };
}

/** Unsigned LEB128 in its shortest form, at most 32 bits. */
export const varint: Field<number> = {
  decode(from) {
    let value = 0;
    for (let scale = 1; scale < 2 ** 35; scale *= 128) {
      const byte = from.integer(1);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        check(value < 2 ** 32 && (byte > 0 || scale === 1), Fault.Varint);
        return value;
      }
    }
    check(false, Fault.Varint);
  },
  write(value) {
    const found: number[] = [];
    // Above seven bits and the mark, a byte cuts off.
    for (; value >= 0x80; value >>>= 7) found.push(value | 0x80);
    return [...found, value];
  },
};

/** All `parts`, one after the other. */
export function join(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Bytes of the longest message that is looked at: a Have of the most ranges needs less than 20 KiB, a chunk 16 KiB. */
const MOST = 32 * 1024;

/** Thrown by readers, caught by `decodeAll`: nothing else sees it. */
interface Faulty extends Error {
  fault?: Fault;
}

function reader(of: Uint8Array): Reader {
  let at = 0;
  const take = (length: number): Uint8Array => {
    check(at + length <= of.length, Fault.Short);
    at += length;
    return of.subarray(at - length, at);
  };
  return {
    integer: (width) => take(width).reduce((value, byte) => value * 256 + byte, 0),
    bytes: take,
    left: () => of.length - at,
  };
}
