/**
 * What visitor and broker say to each other, and its bytes (`docs/protocol.md`, between visitor and broker). Pure; the
 * socket is `broker.ts`.
 */
import { Fault } from "./fault";
import { fromHex, toHex } from "./hex";
import { REFLEXIVE, type Candidate, type Identity } from "./identity";
import type { Ledger } from "./ledger";
import { versioned } from "./message";
import { bytes, check, decodeAll, integer, join, oneOf, type Field, type Refused } from "./wire";

/** What two visitors who meet tell each other through the broker. */
export type Body = { kind: "identity"; identity: Identity } | { kind: "candidate"; candidate: Candidate };

export type FromVisitor =
  | { kind: "join"; token: Uint8Array }
  | { kind: "signal"; to: number; body: Body }
  | { kind: "need"; count: number }
  | { kind: "accuse"; visitor: number; fault: number }
  | ({ kind: "report"; links: number } & Ledger)
  /** `outcome` is 0 for open, 1 for failed. */
  | { kind: "linked"; visitor: number; outcome: number; milliseconds: number };

export type FromBroker =
  | { kind: "welcome"; id: number; others: number }
  | { kind: "meet"; visitor: number }
  | { kind: "signal"; from: number; body: Body }
  | { kind: "gone"; visitor: number }
  | { kind: "calm" };

export function encodeSignal(message: FromVisitor): Uint8Array<ArrayBuffer> {
  return fromVisitor.write(message) as Uint8Array<ArrayBuffer>;
}

export function decodeSignal(from: Uint8Array): FromBroker | Refused {
  return decodeAll(from, SIGNAL_MOST, fromBroker);
}

/** Bytes of the longest message, either way; the longest well-formed one has 137. */
const SIGNAL_MOST = 512;

/** The credentials as two runs of bytes: as Chromium makes them (base64), as Firefox does (hexadecimal), or as text. */
const SHAPES = [
  { lengths: [3, 18], pack: (text: string) => fromAscii(atob(text)), unpack: (from: Uint8Array) => btoa(toAscii(from)) },
  { lengths: [4, 16], pack: fromHex, unpack: toHex },
  { lengths: [], pack: (text: string) => join([[text.length], fromAscii(text)]), unpack: toAscii },
];

const visitor = integer(4);
const sum = integer(8);

const identity: Field<Identity> = {
  read(from) {
    const shape = from.integer(1);
    const known = SHAPES[shape];
    check(known !== undefined, Fault.Identity);
    const text = (at: number): string => known.unpack(from.bytes(known.lengths[at] ?? from.integer(1)));
    const [ufrag, pwd] = [text(0), text(1)];
    // One identity, one spelling; and ICE characters only, so that no line can be smuggled into our SDP.
    const right = /^[a-z\d+/]{4,32} [a-z\d+/]{22,64}$/i.test(`${ufrag} ${pwd}`);
    check(right && shapeOf(ufrag, pwd) === shape, Fault.Identity);
    return { ufrag, pwd, fingerprint: from.bytes(32) };
  },
  write({ ufrag, pwd, fingerprint }) {
    const shape = shapeOf(ufrag, pwd);
    const pack = SHAPES[shape]!.pack;
    return join([[shape], pack(ufrag), pack(pwd), fingerprint]);
  },
};

const candidate: Field<Candidate> = {
  read(from) {
    const place = from.integer(1);
    check([0, 4, 6, REFLEXIVE + 4, REFLEXIVE + 6].includes(place), Fault.Candidate);
    const [priority, host, port] = [from.integer(4), from.bytes(place % REFLEXIVE === 4 ? 4 : 16), from.integer(2)];
    check(port > 0, Fault.Candidate);
    return { place, priority, host, port };
  },
  write: ({ place, priority, host, port }) => join([[place], visitor.write(priority), host, integer(2).write(port)]),
};

const body = oneOf<Body>({ identity: [1, { identity }], candidate: [2, { candidate }] }, Fault.Value);

const fromVisitor = oneOf<FromVisitor>(
  {
    join: [0x40, { token: versioned(bytes(29)) }],
    signal: [0x41, { to: visitor, body }],
    need: [0x42, { count: integer(1) }],
    accuse: [0x43, { visitor, fault: integer(1) }],
    report: [0x44, { origin: sum, peer: sum, given: sum, links: integer(1) }],
    linked: [0x45, { visitor, outcome: integer(1), milliseconds: integer(2) }],
  },
  Fault.Type,
);

const fromBroker = oneOf<FromBroker>(
  {
    welcome: [0x60, { id: visitor, others: integer(2) }],
    meet: [0x61, { visitor }],
    signal: [0x62, { from: visitor, body }],
    gone: [0x63, { visitor }],
    calm: [0x64, {}],
  },
  Fault.Type,
);

function shapeOf(ufrag: string, pwd: string): number {
  if (ufrag.length === 4 && pwd.length === 24) return 0;
  return /^[\da-f]{8} [\da-f]{32}$/.test(`${ufrag} ${pwd}`) ? 1 : 2;
}

function toAscii(from: Uint8Array): string {
  return String.fromCharCode(...from);
}

function fromAscii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
