/**
 * What visitor and broker say to each other, and its bytes (`docs/protocol.md`, between visitor and broker). Pure; the
 * socket is `broker.ts`.
 */
import type { Ledger } from "./ledger";
import { CHUNK } from "./manifest";
import { body, type Body } from "./body";
import { bytes, decodeAll, integer, many, oneOf, rest, type Refused } from "./wire";
import { Fault } from "./fault";
import { chunk, version, visitor } from "./message";

/** The types, up to `Spare` from the visitor, from `Welcome` on from the broker. */
export enum Talk {
  Join = 0x40,
  Signal,
  Need,
  Accuse,
  Report,
  Linked,
  Spare,
  Welcome = 0x60,
  Meet,
  Signalled,
  Gone,
  Calm,
  Chunk,
  Sponsor,
}

export type FromVisitor =
  | { kind: Talk.Join; wireVersion: number; token: Uint8Array }
  | { kind: Talk.Signal; to: number; body: Body }
  | { kind: Talk.Need; count: number }
  | { kind: Talk.Accuse; visitor: number; fault: number }
  | ({ kind: Talk.Report; links: number } & Ledger)
  /** `outcome` is 0 for open, 1 for failed. */
  | { kind: Talk.Linked; visitor: number; outcome: number; milliseconds: number }
  | { kind: Talk.Spare; chunks: number[] };

export type FromBroker =
  | { kind: Talk.Welcome; id: number; others: number }
  | { kind: Talk.Meet; visitor: number }
  | { kind: Talk.Signalled; from: number; body: Body }
  | { kind: Talk.Gone; visitor: number }
  | { kind: Talk.Calm }
  | { kind: Talk.Chunk; chunk: number; bytes: Uint8Array }
  | { kind: Talk.Sponsor; visitor: number };

/** The message that `from` is; it may borrow it. */
export function decodeSignal(from: Uint8Array): FromBroker | Refused {
  return decodeAll(from, fromBroker.decode);
}

/** Chunks of one Spare. */
const SPARE_MOST = 8;

const sum = integer(8);

const fromVisitor = oneOf<FromVisitor>(
  {
    [Talk.Join]: { wireVersion: version, token: bytes(29) },
    [Talk.Signal]: { to: visitor, body },
    [Talk.Need]: { count: integer(1) },
    [Talk.Accuse]: { visitor, fault: integer(1) },
    [Talk.Report]: { origin: sum, peer: sum, given: sum, links: integer(1) },
    [Talk.Linked]: { visitor, outcome: integer(1), milliseconds: integer(2) },
    [Talk.Spare]: { chunks: many(chunk, SPARE_MOST) },
  },
  Fault.Type,
);

export const encodeSignal = fromVisitor.write as (message: FromVisitor) => Uint8Array<ArrayBuffer>;

const fromBroker = oneOf<FromBroker>(
  {
    [Talk.Welcome]: { id: visitor, others: integer(2) },
    [Talk.Meet]: { visitor },
    [Talk.Signalled]: { from: visitor, body },
    [Talk.Gone]: { visitor },
    [Talk.Calm]: {},
    [Talk.Chunk]: { chunk, bytes: rest(1, CHUNK) },
    [Talk.Sponsor]: { visitor },
  },
  Fault.Type,
);
