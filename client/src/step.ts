/** One step of the exchange: what happened, and what is to be done. Types alone; `exchange.ts` decides. */
import type { Message } from "./message";
import type { FromBroker, FromVisitor, Talk } from "./signal";
import type { Body } from "./body";

export enum In {
  Told,
  Lost,
  Opened,
  Closed,
  Full,
  Heard,
  Want,
  Fetched,
  Ended,
  Tick,
}
export enum Out {
  Send,
  Tell,
  Meet,
  Signal,
  Close,
  Fetch,
  Got,
  Failed,
}

/** What of the broker's is the exchange's business. */
export type Told = Exclude<FromBroker, { kind: Talk.Signalled | Talk.Gone | Talk.Calm }>;

/** Times are in milliseconds of one clock, `link` is the number of the visitor at its other end. */
export type Input =
  /** The broker said something; bodies and farewells are the links' business. */
  | { kind: In.Told; message: Told }
  /** The broker cannot be reached. */
  | { kind: In.Lost }
  /** A link is open; it is gone, or could not be opened. */
  | { kind: In.Opened | In.Closed; link: number }
  /** More is queued towards a neighbour than is good, or not any more. */
  | { kind: In.Full; link: number; full: boolean }
  | { kind: In.Heard; link: number; bytes: Uint8Array }
  /** All chunks that the page waits for now, the most urgent first. */
  | { kind: In.Want; chunks: readonly number[] }
  /** A chunk that was fetched from the origin, not verified yet. */
  | { kind: In.Fetched; chunk: number; bytes: Uint8Array<ArrayBuffer> }
  /** A fetch is over; for what it did not bring, the origin may be asked again after the time that it named, soon if it named none (0), or never. */
  | { kind: In.Ended; chunk: number; count: number; again: number | undefined }
  /** `LOOK` milliseconds have passed. */
  | { kind: In.Tick };

export type Output =
  | { kind: Out.Send; link: number; messages: Message[] }
  | { kind: Out.Tell; message: FromVisitor }
  /** Begin to connect, speaking through `by`; of the two, `passive` waits for the DTLS handshake. */
  | { kind: Out.Meet; link: number; by: number; passive: boolean }
  /** What the other end of a link that is beginning tells of itself. */
  | { kind: Out.Signal; link: number; body: Body }
  | { kind: Out.Close; link: number }
  /** Fetch these chunks, all of one object, from the origin. */
  | { kind: Out.Fetch; chunk: number; count: number }
  /** The chunk is verified, and in the store. */
  | { kind: Out.Got; chunk: number; from: "origin" | "peer" }
  /** Neither neighbours nor origin can deliver this chunk: let the network have it. */
  | { kind: Out.Failed; chunk: number };
