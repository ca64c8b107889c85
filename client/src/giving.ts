/**
 * The giving side of the exchange: what neighbours are told, and who gets the next block. Law 3 is kept here: a block is
 * booked in the ledger before it goes. Pure part of `swarm.ts`.
 */
import { give, stated } from "./ledger";
import { BLOCK } from "./manifest";
import type { Neighbour } from "./neighbour";
import type { Ranges } from "./ranges";
import { whom } from "./roulette";
import { say, spare, type Swarm } from "./state";
import type { Output } from "./swarm";

/** Milliseconds between two tellings: 60 chunks told one by one cost 5 % of an uplink. */
const ANNOUNCE = 100;
/** Edges of the 4,096 ranges that fit one message. */
const EDGES_MOST = 8192;

/** First words on a new link: who we are, and all that we hold. */
export function greet(of: Swarm, them: Neighbour): void {
  of.neighbours.set(them.link, them);
  say(of, them, { kind: "hello", room: of.room, id: of.id });
  have(of, them, of.held);
}

/** Tells the neighbours, at most ten times a second, what is new; and whether there is credit, when that has changed. */
export function announce(of: Swarm, now: number): void {
  if (!of.due || now - of.told < ANNOUNCE) return;
  of.told = now;
  of.due = false;
  const fresh = of.fresh.splice(0);
  for (const them of of.neighbours.values()) {
    // To believe in credit where there is none, or the reverse, would cost the neighbour half a second.
    if (fresh.length > 0 || (them.told === 0) !== (stated(of.ledger) === 0)) have(of, them, fresh);
  }
}

/** The next block that goes out, or the proof ahead of it. */
export function nextBlock(of: Swarm): Output | undefined {
  const them = taker(of);
  if (!them?.asks) return undefined;
  const { asks, link } = them;
  const held = of.store.get(asks.chunk);
  const bytes = held?.bytes.subarray(asks.block * BLOCK, (asks.block + 1) * BLOCK);
  if (!held || !bytes?.length) {
    them.asks = undefined;
    return { kind: "send", link, message: { kind: "lack", chunk: asks.chunk } };
  }
  if (!asks.proven) {
    asks.proven = true;
    return { kind: "send", link, message: { kind: "proof", chunk: asks.chunk, digests: held.digests } };
  }
  // Law 3: booked before it goes. `taker` left nobody here who has not the credit, but the ledger decides.
  if (!give(of.ledger, bytes.length)) return undefined;
  of.due = true;
  them.given += bytes.length;
  them.told = stated(of.ledger);
  const { chunk, block } = asks;
  asks.block++;
  if (asks.block * BLOCK >= held.bytes.length) them.asks = undefined;
  return { kind: "send", link, message: { kind: "block", credit: them.told, chunk, block, bytes } };
}

/** Who is given to now: the same until its chunk is sent, it is full or credit is short; then the most owed. */
function taker(of: Swarm): Neighbour | undefined {
  if (!of.giving || !ready(of, of.giving)) of.giving = whom([...of.neighbours.values()].filter((them) => ready(of, them)), of.random);
  return of.giving;
}

/** A whole block's credit is asked for even where the last is shorter: a few bytes are not worth a proof. */
function ready(of: Swarm, them: Neighbour): boolean {
  return of.neighbours.has(them.link) && them.asks !== undefined && !them.full && spare(of) >= BLOCK;
}

function have(of: Swarm, them: Neighbour, ranges: Ranges): void {
  them.told = stated(of.ledger);
  // In parts that each fit one message; an empty one tells the credit.
  for (let at = 0; at === 0 || at < ranges.length; at += EDGES_MOST) {
    say(of, them, { kind: "have", credit: them.told, ranges: ranges.slice(at, at + EDGES_MOST) });
  }
}
