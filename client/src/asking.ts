/**
 * The asking side of the exchange: one chunk at a time of each neighbour, verified block by block, taken elsewhere when
 * it stalls. Pure part of `swarm.ts`.
 */
import { add, begin, complete } from "./chunk";
import { Fault } from "./fault";
import { stated } from "./ledger";
import { chunkDigest, chunkLength, objectOf } from "./manifest";
import type { Message } from "./message";
import type { Neighbour, Wanted } from "./neighbour";
import { has, remove } from "./ranges";
import { whichChunk } from "./roulette";
import { accuse, forget, keep, say, type Swarm } from "./state";

/** Milliseconds without a useful byte after which a chunk is asked of another. */
const STALL = 500;
/** Milliseconds for a whole chunk: 4 KiB/s is a neighbour that serves too many, or one that wants to be waited for. */
const CRAWL = 4000;
/** Milliseconds for which one who stalled is left alone. */
const REST = 1000;
/** Asks that may be open or cancelled and unanswered: one who lets more pile up is not asked again. */
const EXPECTED_MOST = 8;
/**
 * Chunks among which chance may choose: enough that visitors who come together hold different ones, and have something to
 * give each other; few enough to keep the page's order.
 */
const URGENT = 64;

/** Asks every idle neighbour for one chunk. */
export function askAll(of: Swarm, now: number): void {
  for (const them of of.neighbours.values()) {
    if (them.ask || !able(them) || now < them.rests) continue;
    const chosen = whichChunk(candidates(of, them), ([chunk]) => holders(of, chunk), of.random);
    if (!chosen) continue;
    const [chunk, entry] = chosen;
    entry.from = "peer";
    them.ask = { chunk, since: now, heard: now };
    them.expected.push(chunk);
    const block = entry.partial?.next ?? 0;
    say(of, them, { kind: "ask", credit: stated(of.ledger), chunk, block });
  }
}

/** Whether a neighbour can give at all, as far as it said. */
export function able(them: Neighbour): boolean {
  return them.greeted && them.credit > 0 && them.expected.length < EXPECTED_MOST;
}

/** How many neighbours hold a chunk and can give. */
export function holders(of: Swarm, chunk: number): number {
  let sum = 0;
  for (const them of of.neighbours.values()) if (able(them) && has(them.held, chunk)) sum++;
  return sum;
}

/** Takes asks elsewhere that brought nothing for too long. */
export function expire(of: Swarm, now: number): void {
  for (const them of of.neighbours.values()) {
    if (!them.ask || (now - them.ask.heard < STALL && now - them.ask.since < CRAWL)) continue;
    them.rests = now + REST;
    cancel(of, them);
  }
}

/** Ends the ask of a neighbour; what it has sent of the chunk stays. */
export function cancel(of: Swarm, them: Neighbour): void {
  if (!them.ask) return;
  const { chunk } = them.ask;
  say(of, them, { kind: "cancel", chunk });
  forget(of, them);
}

/** Lack: it does not hold the chunk (any more). */
export function refuse(of: Swarm, them: Neighbour, chunk: number): void {
  const at = them.expected.indexOf(chunk);
  if (at >= 0) them.expected.splice(at, 1);
  remove(them.held, chunk, chunk + 1);
  if (them.ask?.chunk === chunk) forget(of, them);
}

/** Takes a proof; true if there may be something to ask for now. */
export function proof(of: Swarm, them: Neighbour, chunk: number, digests: Uint8Array, now: number): boolean {
  const at = them.expected.indexOf(chunk);
  if (at < 0) return accuse(of, them, Fault.Unasked);
  // The channel is ordered: what was asked before this one, it will not send any more.
  them.expected.splice(0, at + 1);
  them.sending = chunk;
  const entry = of.wanted.get(chunk);
  if (!entry) return false;
  if (them.ask?.chunk === chunk) them.ask.heard = now;
  if (entry.partial) return false;
  const object = objectOf(of.manifest, chunk);
  const expected = object && chunkDigest(object, chunk);
  // The digests are a view of the message: what is kept is a copy.
  entry.partial = object && expected && begin(chunkLength(object, chunk), digests.slice(), expected);
  return entry.partial ? false : accuse(of, them, Fault.Digest);
}

/** Takes a block; true if there may be something to ask for now. */
export function block(of: Swarm, them: Neighbour, message: Message & { kind: "block" }, now: number): boolean {
  const { chunk, bytes } = message;
  if (them.sending !== chunk) return accuse(of, them, Fault.Unasked);
  const partial = of.wanted.get(chunk)?.partial;
  // Cancelled, or another neighbour was faster: neither used nor counted.
  if (!partial || message.block < partial.next) return false;
  if (message.block > partial.next) return accuse(of, them, Fault.Order);
  if (!add(partial, bytes)) return accuse(of, them, Fault.Digest);
  of.ledger.peer += bytes.length;
  them.got += bytes.length;
  if (them.ask?.chunk === chunk) them.ask.heard = now;
  if (!complete(partial)) return false;
  if (them.ask?.chunk === chunk) them.ask = undefined;
  for (const other of of.neighbours.values()) if (other.ask?.chunk === chunk) cancel(of, other);
  keep(of, chunk, partial, "peer");
  return true;
}

/** The most urgent chunks that this neighbour holds and nobody brings. */
function candidates(of: Swarm, them: Neighbour): [chunk: number, entry: Wanted][] {
  const found: [number, Wanted][] = [];
  for (const one of of.wanted) {
    if (one[1].from === "nobody" && has(them.held, one[0]) && found.push(one) === URGENT) break;
  }
  return found;
}
