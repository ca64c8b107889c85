/**
 * The exchange between a visitor and its neighbours: who is asked for what, who is given the next block, and what is left
 * to the origin. Pure: values in, values out; it is told the time and the randomness, and touches no browser API.
 *
 * `handle` takes what happened; then `poll` until it has nothing more. A block is booked (law 3) at the poll that yields
 * it, so whoever polls must send it.
 */
import { askAll, block, cancel, expire, proof, refuse } from "./asking";
import { verify } from "./chunk";
import { Fault } from "./fault";
import { announce, greet, nextBlock } from "./giving";
import { chunkCount, chunkDigest, objectOf } from "./manifest";
import { decode, type Message } from "./message";
import { neighbour, wanted, type Neighbour } from "./neighbour";
import { has, insert, spans, type Ranges } from "./ranges";
import { ended, fetchAll } from "./seeding";
import { accuse, JOIN_PATIENCE, keep, leave, say, type Swarm } from "./state";

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
