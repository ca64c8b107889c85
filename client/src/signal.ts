/**
 * What visitor and broker say to each other, and its bytes (`docs/protocol.md`, between visitor and broker). Pure; the
 * socket is `broker.ts`.
 */
import { FAULTS, Faulty, type Fault } from "./fault";
import { fromHex, toHex } from "./hex";
import type { Candidate, Identity } from "./identity";
import type { Ledger } from "./ledger";
import { VERSION } from "./message";
import { check, integer, read, type Reader, type Refused } from "./wire";

/** What two visitors who meet tell each other through the broker. */
export type Body = ({ kind: "identity" } & Identity) | ({ kind: "candidate" } & Candidate);

export type FromVisitor =
  | { kind: "join"; token: Uint8Array }
  | { kind: "signal"; to: number; body: Body }
  | { kind: "need"; count: number }
  | { kind: "accuse"; visitor: number; fault: Fault }
  | ({ kind: "report"; links: number } & Ledger)
  | { kind: "linked"; visitor: number; outcome: "open" | "failed"; milliseconds: number };

export type FromBroker =
  | { kind: "welcome"; id: number; others: number }
  | { kind: "meet"; visitor: number }
  | { kind: "signal"; from: number; body: Body }
  | { kind: "gone"; visitor: number }
  | { kind: "calm" };

export function encodeSignal(message: FromVisitor): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "join":
      return Uint8Array.of(0x40, VERSION, ...message.token);
    case "signal":
      return Uint8Array.from([0x41, ...integer(message.to, 4), ...encodeBody(message.body)]);
    case "need":
      return Uint8Array.of(0x42, message.count);
    case "accuse":
      return Uint8Array.of(0x43, ...integer(message.visitor, 4), FAULTS[message.fault]);
    case "report": {
      const { origin, peer, given, links } = message;
      return Uint8Array.of(0x44, ...[origin, peer, given].flatMap((bytes) => integer(bytes, 8)), links);
    }
    case "linked": {
      const milliseconds = Math.min(Math.round(message.milliseconds), 0xffff);
      const outcome = message.outcome === "open" ? 0 : 1;
      return Uint8Array.of(0x45, ...integer(message.visitor, 4), outcome, ...integer(milliseconds, 2));
    }
  }
}

export function decodeSignal(bytes: Uint8Array): FromBroker | Refused {
  return read<FromBroker>(bytes, SIGNAL_MOST, (from) => {
    switch (from.u8()) {
      case 0x60:
        return { kind: "welcome", id: from.u32(), others: from.u16() };
      case 0x61:
        return { kind: "meet", visitor: from.u32() };
      case 0x62:
        return { kind: "signal", from: from.u32(), body: decodeBody(from) };
      case 0x63:
        return { kind: "gone", visitor: from.u32() };
      case 0x64:
        return { kind: "calm" };
      default:
        throw new Faulty("type");
    }
  });
}

function encodeBody(body: Body): number[] {
  if (body.kind === "identity") {
    const { ufrag, pwd } = body;
    const shape = shapeOf(ufrag, pwd);
    return [1, shape, ...PACK[shape](ufrag), ...PACK[shape](pwd), ...body.fingerprint];
  }
  const kind = (body.type === "host" ? 0 : 0x10) | body.family;
  return [2, kind, ...integer(body.priority, 4), ...body.host, ...integer(body.port, 2)];
}

function decodeBody(from: Reader): Body {
  switch (from.u8()) {
    case 1:
      return decodeIdentity(from);
    case 2:
      return decodeCandidate(from);
    default:
      throw new Faulty("value");
  }
}

function decodeIdentity(from: Reader): Body {
  const shape = from.u8();
  check(shape === 0 || shape === 1 || shape === 2, "identity");
  const text = (lengths: [number, number]): [string, string] => {
    const unpack = shape === 0 ? fromSix : toHex;
    return [unpack(from.bytes(lengths[0])), unpack(from.bytes(lengths[1]))];
  };
  const plain = (): string => String.fromCharCode(...from.bytes(from.u8()));
  const [ufrag, pwd] = shape === 0 ? text([3, 18]) : shape === 1 ? text([4, 16]) : [plain(), plain()];
  const fingerprint = from.bytes(32);
  // One identity, one spelling; and only ICE characters, so that no line can be smuggled into our SDP.
  check(/^[\w+/]{4,32}$/.test(ufrag) && /^[\w+/]{22,64}$/.test(pwd) && !(ufrag + pwd).includes("_"), "identity");
  check(shapeOf(ufrag, pwd) === shape, "identity");
  return { kind: "identity", ufrag, pwd, fingerprint };
}

function decodeCandidate(from: Reader): Body {
  const kind = from.u8();
  const family = kind & 0x0f;
  check(kind >> 4 < 2 && (family === 4 || family === 6 || kind === 0), "candidate");
  const type = kind >> 4 ? "reflexive" : "host";
  const priority = from.u32();
  const host = from.bytes(family === 4 ? 4 : 16);
  const port = from.u16();
  check(port > 0, "candidate");
  return { kind: "candidate", type, family: family as 4 | 6 | 0, priority, host, port };
}

/** How credentials are packed; 0 is what Chromium makes, 1 Firefox. */
type Shape = 0 | 1 | 2;

function shapeOf(ufrag: string, pwd: string): Shape {
  if (ufrag.length === 4 && pwd.length === 24) return 0;
  return /^[\da-f]{8} [\da-f]{32}$/.test(`${ufrag} ${pwd}`) ? 1 : 2;
}

/** Four ICE characters in three bytes, as base64 has them. */
function toSix(text: string): number[] {
  return Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function fromSix(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

const PACK: Record<Shape, (text: string) => Iterable<number>> = {
  0: toSix,
  1: fromHex,
  2: (text) => [text.length, ...Array.from(text, (letter) => letter.charCodeAt(0))],
};

/** Bytes of the longest message, either way; the longest well-formed one has 137. */
const SIGNAL_MOST = 512;
