/**
 * What two visitors who meet tell each other, through the broker or a neighbour, and its bytes (`docs/protocol.md`, body).
 * Pure.
 */
import { fromAscii, fromHex, toHex } from "./hex";
import { check, integer, join, oneOf, type Field } from "./wire";
import { REFLEXIVE, type Candidate, type Identity } from "./identity";
import { Fault } from "./fault";

export enum Part {
  Identity = 1,
  Candidate,
}

export type Body = { kind: Part.Identity; identity: Identity } | { kind: Part.Candidate; candidate: Candidate };

/** How credentials of a `form` become bytes, two runs of `lengths` or each behind its own. */
interface Shape {
  form: RegExp;
  lengths: number[];
  pack: (text: string) => Uint8Array;
  unpack: (from: Uint8Array) => string;
}

/**
 * As Chromium makes them (base64), as Firefox does (hexadecimal), or as text: the first that fits. ICE characters only, so that
 * no line can be smuggled into our SDP; what base64 and hexadecimal unpack to is nothing else.
 */
const SHAPES: Shape[] = [
  { form: /^.{4} .{24}$/, lengths: [3, 18], pack: (text) => fromAscii(atob(text)), unpack: (from) => btoa(toAscii(from)) },
  { form: /^[\da-f]{8} [\da-f]{32}$/, lengths: [4, 16], pack: fromHex, unpack: toHex },
  { form: /^[a-z\d+/]{4,32} [a-z\d+/]{22,64}$/i, lengths: [], pack: (text) => join([[text.length], fromAscii(text)]), unpack: toAscii },
];

const identity: Field<Identity> = {
  decode(from) {
    const shape = from.integer(1);
    const known = SHAPES[shape];
    check(known, Fault.Identity);
    const text = (at: number): string => known.unpack(from.bytes(known.lengths[at] ?? from.integer(1)));
    const [ufrag, pwd] = [text(0), text(1)];
    // One identity, one spelling.
    check(shapeOf(ufrag, pwd) === shape, Fault.Identity);
    return { ufrag, pwd, fingerprint: from.bytes(32) };
  },
  write({ ufrag, pwd, fingerprint }) {
    const shape = shapeOf(ufrag, pwd);
    const pack = SHAPES[shape]!.pack;
    return join([[shape], pack(ufrag), pack(pwd), fingerprint]);
  },
};

const candidate: Field<Candidate> = {
  decode(from) {
    const place = from.integer(1);
    check([0, 4, 6, REFLEXIVE + 4, REFLEXIVE + 6].includes(place), Fault.Candidate);
    const [priority, host, port] = [from.integer(4), from.bytes(place % REFLEXIVE === 4 ? 4 : 16), from.integer(2)];
    check(port > 0, Fault.Candidate);
    return { place, priority, host, port };
  },
  write: ({ place, priority, host, port }) => join([[place], integer(4).write(priority), host, integer(2).write(port)]),
};

export const body = oneOf<Body>({ [Part.Identity]: { identity }, [Part.Candidate]: { candidate } }, Fault.Value);

function shapeOf(ufrag: string, pwd: string): number {
  return SHAPES.findIndex(({ form }) => form.test(`${ufrag} ${pwd}`));
}

function toAscii(from: Uint8Array): string {
  return String.fromCharCode(...from);
}
