/**
 * What a visitor knows of the exchange at one moment, and the few changes to it that all its parts make. Pure.
 */
import { Talk } from "./signal";
import { credit, CREDIT_MOST, CREDIT_UNIT, ledger, type Ledger } from "./ledger";
import type { Fault } from "./fault";
import { BROKER, type Introduction } from "./introducing";
import type { Manifest } from "./manifest";
import type { Partial } from "./chunk";
import { Out, type Output } from "./step";
import { Bringer, type Neighbour, type Wanted } from "./neighbour";
import { POOR, SEEK } from "./rules";
import type { Held, Store } from "./store";
import type { Message } from "./message";

/** Milliseconds for which neighbours are hoped for before the origin is asked: a link takes 50 to 500. */
export const JOIN_PATIENCE = 1500;

export interface Swarm {
  readonly manifest: Manifest;
  readonly room: Uint8Array;
  readonly store: Store;
  /** Whether addresses of private networks are of use. */
  readonly lan: boolean;
  /** A number in `0..1`. */
  readonly chance: () => number;
  /** Whether to give nothing for now. */
  readonly quiet: () => boolean;
  readonly ledger: Ledger;
  readonly held: Set<number>;
  /** Those with whom there is a link, and those who are about to be. */
  readonly neighbours: Map<number, Neighbour>;
  /** By urgency. */
  wanted: Map<number, Wanted>;
  /** Chunks of which a part is here, wanted or not. */
  readonly partials: Map<number, Partial>;
  readonly outputs: Output[];
  id: number;
  /** Whether there is a broker. */
  joined?: boolean;
  /** Until when, without neighbours, they are still hoped for; `-Infinity` without a broker. */
  hope: number;
  /** There was nobody to hope for: what no neighbour gives is fetched at once, until the page has what it wants. */
  plain?: boolean;
  fetches: number;
  /** The origin is not to be asked before: it said so, or a request broke. */
  later: number;
  /** What the origin may send out of turn, as it was told. */
  spare: number[];
  /** The neighbour whose chunk is being sent. */
  giving?: Neighbour | undefined;
  /** Never to be met again. */
  readonly banned: Set<number>;
  /** Links begun in this visit. */
  made: number;
  /** Whether a neighbour was asked, and may answer yet. */
  seeking?: boolean;
  /** When more neighbours may be asked for, and how long the broker is left alone then. */
  seek: number;
  rest: number;
  /** Looks at which it was spent: all is here, and has been given. */
  looks: number;
  /** How many neighbours introduced, and since when they are counted. */
  met: number;
  counted: number;
  /** Who was introduced to whom by us, lately: no pair twice, and of the few with whom there was a link lately. */
  introductions: Introduction[];
}

export function swarm(of: Pick<Swarm, "manifest" | "room" | "lan" | "store" | "chance" | "quiet">, now: number): Swarm {
  return {
    ...of,
    ledger: ledger(),
    held: new Set(),
    neighbours: new Map(),
    wanted: new Map(),
    partials: new Map(),
    outputs: [],
    id: 0,
    hope: now + JOIN_PATIENCE,
    fetches: 0,
    later: 0,
    spare: [],
    banned: new Set(),
    made: 0,
    seek: now + SEEK,
    looks: 0,
    rest: SEEK,
    met: 0,
    counted: now,
    introductions: [],
  };
}

/** Keeps a verified chunk, and ends what is under way for it; `giver` is who sent its last block. */
export function keep(of: Swarm, chunk: number, held: Held, giver?: Neighbour): void {
  // A seed may come before the page has wanted anything.
  if (of.wanted.delete(chunk)) of.plain &&= of.wanted.size > 0;
  of.partials.delete(chunk);
  for (const gone of of.store.put(chunk, held)) of.held.delete(gone);
  of.held.add(chunk);
  for (const them of linked(of)) {
    if (!them.held.has(chunk)) them.fresh.add(chunk);
    if (them.ask?.chunk !== chunk) continue;
    them.ask = undefined;
    // Who sent the last block has nothing left to send, unless it was asked for the chunk again since.
    if (them !== giver || them.expected.includes(chunk)) them.stale = chunk;
  }
  of.outputs.push({ kind: Out.Got, chunk, from: giver ? "peer" : "origin" });
}

/** Ends the link to one who did wrong, for good; true, for what it was asked for must be asked of another. */
export function accuse(of: Swarm, them: Neighbour, fault: Fault, certain = true): true {
  const { link, by } = them;
  // Of whom a neighbour introduced, the broker knows nothing.
  if (certain && by === BROKER) tell(of, { kind: Talk.Accuse, visitor: link, fault });
  of.banned.add(link);
  close(of, link);
  return true;
}

/** Ends a link. */
export function close(of: Swarm, link: number): void {
  of.outputs.push({ kind: Out.Close, link });
  leave(of, link);
}

/** Says something to a neighbour, in one packet. */
export function say(of: Swarm, { link }: Neighbour, ...messages: Message[]): void {
  if (messages[0]) of.outputs.push({ kind: Out.Send, link, messages });
}

/** Says something to the broker. */
export function tell(of: Swarm, message: (Output & { kind: Out.Tell })["message"]): void {
  of.outputs.push({ kind: Out.Tell, message });
}

/** The neighbours whose link is open. */
export function linked(of: Swarm): Neighbour[] {
  return [...of.neighbours.values()].filter(({ opened }) => opened !== undefined);
}

/** Forgets one whose link is gone. */
export function leave(of: Swarm, link: number): void {
  const them = of.neighbours.get(link);
  of.neighbours.delete(link);
  if (them) forget(of, them);
}

/** Frees the chunk that a neighbour was asked for. */
export function forget(of: Swarm, them: Neighbour): void {
  const entry = them.ask && of.wanted.get(them.ask.chunk);
  them.ask = undefined;
  if (!entry) return;
  entry.from = Bringer.Nobody;
  entry.failures++;
}

/** The credit as neighbours are told it, in units of 2 KiB, of which whole ones are written: none while there is little to spend it on. */
export function stated(of: Swarm): number {
  return of.held.size < POOR ? 0 : Math.min(CREDIT_MOST, credit(of.ledger) / CREDIT_UNIT);
}
