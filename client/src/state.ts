/**
 * What a visitor knows of the exchange at one moment, and the few changes to it that all parts of `swarm.ts` make. Pure.
 */
import type { Fault } from "./fault";
import { credit, ledger, type Ledger } from "./ledger";
import type { Manifest } from "./manifest";
import type { Message } from "./message";
import type { Neighbour, Wanted } from "./neighbour";
import { insert, remove, type Ranges } from "./ranges";
import type { Held, Store } from "./store";
import type { Output } from "./swarm";

/** Milliseconds for which neighbours are hoped for before the origin is asked: a link takes 50 to 500. */
export const JOIN_PATIENCE = 1500;

export interface Swarm {
  readonly manifest: Manifest;
  readonly room: Uint8Array;
  readonly store: Store;
  /** A number in `0..1`. */
  readonly random: () => number;
  /** Whether to give nothing for now. */
  readonly quiet: () => boolean;
  readonly ledger: Ledger;
  readonly held: Ranges;
  /** Held, but not told to the neighbours yet. */
  readonly fresh: Ranges;
  readonly neighbours: Map<number, Neighbour>;
  /** By urgency. */
  wanted: Map<number, Wanted>;
  readonly outputs: Output[];
  id: number;
  /** Until when, without neighbours, they are still hoped for. */
  hope: number;
  /** When the neighbours were last told what is held and given, and whether that has changed. */
  told: number;
  due: boolean;
  fetches: number;
  /** The neighbour whose chunk is being sent. */
  giving?: Neighbour | undefined;
}

export function swarm(of: Pick<Swarm, "manifest" | "room" | "store" | "random" | "quiet">, now: number): Swarm {
  return {
    ...of,
    ledger: ledger(),
    held: [],
    fresh: [],
    neighbours: new Map(),
    wanted: new Map(),
    outputs: [],
    id: 0,
    hope: now + JOIN_PATIENCE,
    told: now,
    due: false,
    fetches: 0,
  };
}

/** Keeps a verified chunk. */
export function keep(of: Swarm, chunk: number, held: Held, from: "origin" | "peer"): void {
  of.wanted.delete(chunk);
  for (const gone of of.store.put(chunk, held)) {
    remove(of.held, gone, gone + 1);
    remove(of.fresh, gone, gone + 1);
  }
  insert(of.held, chunk, chunk + 1);
  insert(of.fresh, chunk, chunk + 1);
  of.due = true;
  of.outputs.push({ kind: "got", chunk, from });
}

/** Ends the link to one who did wrong; true, for what it was asked for must be asked of another. */
export function accuse(of: Swarm, them: Neighbour, fault: Fault): true {
  leave(of, them);
  of.outputs.push({ kind: "drop", link: them.link, fault });
  return true;
}

/** Says something to a neighbour. */
export function say(of: Swarm, { link }: Neighbour, message: Message): void {
  of.outputs.push({ kind: "send", link, message });
}

export function leave(of: Swarm, them: Neighbour): void {
  of.neighbours.delete(them.link);
  forget(of, them);
}

/** Frees the chunk that a neighbour was asked for. */
export function forget(of: Swarm, them: Neighbour): void {
  const entry = them.ask && of.wanted.get(them.ask.chunk);
  them.ask = undefined;
  if (!entry) return;
  entry.from = "nobody";
  entry.failures++;
}

/** Bytes that may still be given. */
export function spare(of: Swarm): number {
  return of.quiet() ? 0 : credit(of.ledger);
}
