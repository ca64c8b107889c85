/**
 * Reading and writing the fields that messages are made of: integers are big-endian, varints unsigned LEB128 in their
 * shortest form. Knows no message.
 */
import { Faulty, type Fault } from "./fault";

/** What a codec's door gives for bytes that are no message. */
export interface Refused {
  kind: "refused";
  fault: Fault;
}

/** Takes fields from the front of a message; throws `Faulty` where it ends too soon. */
export interface Reader {
  u8(): number;
  u16(): number;
  u32(): number;
  varint(): number;
  /** A view of the next `length` bytes, without a copy. */
  bytes(length: number): Uint8Array;
  /** How many bytes are left. */
  left(): number;
}

/** The value that `parse` finds in all of `bytes`, of which there may be at most `most`. */
export function read<T>(bytes: Uint8Array, most: number, parse: (from: Reader) => T): T | Refused {
  try {
    check(bytes.length <= most, "long");
    const from = reader(bytes);
    const value = parse(from);
    check(from.left() === 0, "long");
    return value;
  } catch (error) {
    if (error instanceof Faulty) return { kind: "refused", fault: error.fault };
    throw error;
  }
}

/** Ends the reading of a message with `fault` unless `holds`. */
export function check(holds: boolean, fault: Fault): void {
  if (!holds) throw new Faulty(fault);
}

function reader(of: Uint8Array): Reader {
  const view = new DataView(of.buffer, of.byteOffset, of.byteLength);
  let at = 0;
  const step = (length: number): number => {
    check(at + length <= of.length, "short");
    at += length;
    return at - length;
  };
  const u8 = (): number => view.getUint8(step(1));
  return {
    u8,
    u16: () => view.getUint16(step(2)),
    u32: () => view.getUint32(step(4)),
    varint() {
      let value = 0;
      for (let shift = 0; shift < 35; shift += 7) {
        const byte = u8();
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) {
          check(value < 2 ** 32 && (byte > 0 || shift === 0), "varint");
          return value;
        }
      }
      throw new Faulty("varint");
    },
    bytes(length) {
      const from = step(length);
      return of.subarray(from, from + length);
    },
    left: () => of.length - at,
  };
}

/** The bytes of an integer of `width` bytes. */
export function integer(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, at) => Math.floor(value / 256 ** (width - 1 - at)) % 256);
}

export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}
