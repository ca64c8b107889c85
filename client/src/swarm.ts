/**
 * The exchange between a visitor and its neighbours: who is asked for what, who is given the next block, and what is left
 * to the origin. Pure: values in, values out; it is told the time and the randomness, and touches no browser API.
 *
 * `handle` takes what happened; then `poll` until it has nothing more. A block is booked (law 3) at the poll that yields
 * it, so whoever polls must send it.
 */
import { askAll, block, cancel, expire, forget, proof, refuse } from "./asking";
import { verify } from "./chunk";
import { Fault } from "./fault";
import { announce, greet, nextBlock } from "./giving";
import { credit, ledger, type Ledger } from "./ledger";
import { chunkCount, chunkDigest, objectOf, type Manifest } from "./manifest";
import { decode, type Message } from "./message";
import { has, insert, remove, spans, type Ranges } from "./ranges";
import { fetchAll, JOIN_PATIENCE, ended } from "./seeding";
import type { Held, Store } from "./store";
import { neighbour, wanted, type Neighbour, type Wanted } from "./neighbour";

/** Times are in milliseconds of one clock, `link` is the number of the visitor at its other end. */
export type Input =
  /** The broker's welcome, with the visitors that were in the room before. */
  | { kind: "welcome"; id: number; others: number }
  /** An introduction is under way. */
  | { kind: "meeting" }
  /** The broker cannot be reached. */
  | { kind: "alone" }
  | { kind: "opened" | "closed" | "full" | "drained"; link: number }
  | { kind: "heard"; link: number; bytes: Uint8Array }
  /** All chunks that the page waits for now, the most urgent first. */
  | { kind: "want"; chunks: readonly number[] }
  /** A chunk from the origin, not verified yet. */
  | { kind: "fetched"; chunk: number; bytes: Uint8Array<ArrayBuffer> }
  /** A fetch is over; for what it did not bring, the origin may be asked again after so long, or never. */
  | { kind: "ended"; chunk: number; count: number; again: number | undefined }
  | { kind: "tick" };

export type Output =
  | { kind: "send"; link: number; message: Message }
  /** The neighbour did wrong: close the link, tell the broker, never link again. */
  | { kind: "drop"; link: number; fault: Fault }
  /** Fetch these chunks, all of one object, from the origin. */
  | { kind: "fetch"; chunk: number; count: number }
  /** The chunk is verified, and in the store. */
  | { kind: "got"; chunk: number; from: "origin" | "peer" }
  /** Neither neighbours nor origin can deliver this chunk: let the network have it. */
  | { kind: "failed"; chunk: number };

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

export function handle(of: Swarm, input: Input, now: number): void {
  const them = "link" in input ? of.neighbours.get(input.link) : undefined;
  switch (input.kind) {
    case "welcome":
      of.id = input.id;
      of.hope = input.others > 0 ? now + JOIN_PATIENCE : now;
      break;
    case "meeting":
      of.hope = Math.max(of.hope, now + JOIN_PATIENCE);
      break;
    case "alone":
      of.hope = now;
      break;
    case "opened":
      greet(of, neighbour(input.link));
      break;
    case "closed":
      if (them) leave(of, them);
      break;
    case "full":
    case "drained":
      if (them) them.full = input.kind === "full";
      break;
    case "heard":
      // Most messages are blocks in the middle of a chunk: they change nothing about who is asked for what.
      if (!them || !hear(of, them, input.bytes, now)) return;
      break;
    case "want":
      want(of, input.chunks, now);
      break;
    case "fetched":
      fetched(of, input.chunk, input.bytes);
      break;
    case "ended":
      ended(of, input, now);
      break;
    case "tick":
      expire(of, now);
      announce(of, now);
  }
  askAll(of, now);
  fetchAll(of, now);
}

/** The next thing to do. Blocks come last, one at a time, so that `full` may be said between two of them. */
export function poll(of: Swarm): Output | undefined {
  return of.outputs.shift() ?? nextBlock(of);
}

/** Whether time matters: there is something wanted, or something to tell the neighbours. */
export function busy(of: Swarm): boolean {
  return of.wanted.size > 0 || of.due;
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

function leave(of: Swarm, them: Neighbour): void {
  of.neighbours.delete(them.link);
  forget(of, them);
}

/** Takes a message; true if there may be something to ask for now. */
function hear(of: Swarm, them: Neighbour, bytes: Uint8Array, now: number): boolean {
  const message = decode(bytes);
  if (message.kind === "refused") return accuse(of, them, message.fault);
  if ((message.kind === "hello") === them.greeted) return accuse(of, them, Fault.Order);
  if ("credit" in message) them.credit = message.credit;
  switch (message.kind) {
    case "hello":
      them.greeted = true;
      return message.room.every((byte, at) => byte === of.room[at]) || accuse(of, them, Fault.Room);
    case "have":
      learn(of, them, message.ranges);
      return true;
    case "ask":
      if (has(of.held, message.chunk)) them.asks = { chunk: message.chunk, block: message.block, proven: false };
      else say(of, them, { kind: "lack", chunk: message.chunk });
      return false;
    case "cancel":
      if (them.asks?.chunk === message.chunk) them.asks = undefined;
      return false;
    case "proof":
      return proof(of, them, message.chunk, message.digests, now);
    case "block":
      return block(of, them, message, now);
    case "lack":
      refuse(of, them, message.chunk);
      return true;
  }
}

/** Chunks beyond our manifest are none of our business: others may know more objects. */
function learn(of: Swarm, them: Neighbour, ranges: Ranges): void {
  const last = of.manifest.at(-1);
  const end = last ? last.first + chunkCount(last.length) : 0;
  spans(ranges, (from, to) => {
    insert(them.held, from, Math.min(to, end));
  });
}

/** What is wanted still keeps its history; what is not wanted any more is cancelled. */
function want(of: Swarm, chunks: readonly number[], now: number): void {
  const before = of.wanted;
  of.wanted = new Map();
  for (const chunk of chunks) {
    if (!has(of.held, chunk)) of.wanted.set(chunk, before.get(chunk) ?? wanted(now));
  }
  for (const them of of.neighbours.values()) {
    if (them.ask && !of.wanted.has(them.ask.chunk)) cancel(of, them);
  }
}

function fetched(of: Swarm, chunk: number, bytes: Uint8Array<ArrayBuffer>): void {
  const object = objectOf(of.manifest, chunk);
  const expected = object && chunkDigest(object, chunk);
  const held = expected && verify(bytes, expected);
  if (!held) {
    of.wanted.delete(chunk);
    of.outputs.push({ kind: "failed", chunk });
  } else if (!has(of.held, chunk)) {
    of.ledger.origin += bytes.length;
    keep(of, chunk, held, "origin");
  }
}

/** Bytes that may still be given. */
export function spare(of: Swarm): number {
  return of.quiet() ? 0 : credit(of.ledger);
}
