/**
 * The exchange between a visitor and its neighbours: who is asked for what, who is given the next block, and what is left
 * to the origin. Pure: values in, values out; it is told the time and the randomness, and touches no browser API. Twin of
 * `src/swarm/exchange.rs`, whose manual is `docs/swarm.md`; what is more here is what only a browser has: a page that wants
 * some objects and not others, the most urgent first, and a memory that does not hold them all.
 *
 * `handle` takes what happened; then `poll` until it has nothing more. A block is booked (law 3) at the poll that yields
 * it, so whoever polls must send it.
 */
import { Talk } from "./signal";
import { BROKER, introduce, introduced, meet, relay, relayed, seek } from "./introducing";
import { taught, teach } from "./teaching";
import { Fault } from "./fault";
import { balance, credit } from "./ledger";
import { EVICT, GREETING, SEEK } from "./rules";
import { trust, wanted, type Neighbour } from "./neighbour";
import { BLOCK, chunkCount } from "./manifest";
import { ended, fetchAll, giveUp, reserve, take } from "./seeding";
import { In, type Input, type Output, type Told } from "./step";
import { askAll, block, expire, proof, refuse } from "./asking";
import { accuse, close, JOIN_PATIENCE, forget, leave, linked, type Swarm } from "./state";
import { decode, Kind, type Message } from "./message";
import { announce, giveNext, greet, endWish, wish } from "./giving";

/** So many times longer is one borne with that gave something before: it may have others to give to, and a slow uplink. */
const KNOWN = 8;
/** And one that gave nothing yet, a little: it may have lost a link, and be busy. With once, one seed in forty accused an honest one. */
const UNKNOWN = 2;
/** Messages of one neighbour between two looks, blocks not counted: on a link of 100 Mbit/s an honest one says 190. */
const WORDS_MOST = 500;

export function handle(of: Swarm, input: Input, now: number): void {
  const them = "link" in input ? of.neighbours.get(input.link) : undefined;
  switch (input.kind) {
    case In.Told:
      told(of, input.message, now);
      break;
    case In.Lost:
      of.joined = false;
      of.hope = -Infinity;
      break;
    case In.Opened:
      if (them) {
        them.opened = now;
        greet(of, them);
      }
      break;
    case In.Closed:
      leave(of, input.link);
      break;
    case In.Full:
      if (them) them.full = input.full;
      break;
    case In.Heard:
      // Most messages are blocks in the middle of a chunk: they change nothing about who is asked for what.
      if (!them || !hear(of, them, input.bytes, now)) return;
      break;
    case In.Want:
      want(of, input.chunks, now);
      break;
    case In.Fetched:
      if (!take(of, input.chunk, input.bytes)) giveUp(of, input.chunk);
      break;
    case In.Ended:
      ended(of, input, now);
      break;
    case In.Tick:
      // In this order: an ask that is taken elsewhere is not unanswered any more.
      letGo(of, now);
      expire(of, now);
      announce(of);
  }
  seek(of, now);
  reserve(of);
  // Ahead of the asking: what the neighbours have failed for too long, they are not asked for again.
  fetchAll(of, now, input.kind === In.Tick);
  askAll(of, now);
}

/** The next thing to do. Blocks come last, one at a time, so that `full` may be said between two of them. */
export function poll(of: Swarm, now: number): Output | undefined {
  if (!of.outputs.length) giveNext(of, now);
  return of.outputs.shift();
}

function told(of: Swarm, message: Told, now: number): void {
  switch (message.kind) {
    case Talk.Welcome:
      of.id = message.id;
      of.joined = true;
      of.plain = message.others === 0;
      of.hope = now + JOIN_PATIENCE;
      // The first ones come without being asked for.
      of.seek = now + SEEK;
      break;
    case Talk.Meet:
      meet(of, message.visitor, BROKER);
      break;
    case Talk.Chunk:
      // The digests of its blocks would be a view of the socket's message: what is kept is a copy.
      take(of, message.chunk, message.bytes.slice());
      break;
    case Talk.Sponsor: {
      const them = of.neighbours.get(message.visitor);
      if (them) them.sponsored = true;
    }
  }
}

/** Takes a packet; true, or how many messages of it say so, if there may be something to ask for now. */
function hear(of: Swarm, them: Neighbour, bytes: Uint8Array, now: number): boolean | number {
  const messages = decode(bytes);
  // Whoever was let go at one of them is not heard any more: each of a thousand would be an accusation.
  return "fault" in messages ? accuse(of, them, messages.fault) : messages.filter((one) => of.neighbours.has(them.link) && heard(of, them, one, now)).length;
}

function heard(of: Swarm, them: Neighbour, message: Message, now: number): boolean {
  if ((message.kind === Kind.Hello) === them.greeted) return accuse(of, them, Fault.Order);
  if (message.kind !== Kind.Block && ++them.words > WORDS_MOST) return accuse(of, them, Fault.Flood);
  if ("credit" in message) them.credit = message.credit;
  // One entry per kind: whoever is told a message is told one of its own.
  return (HEARD[message.kind] as Heard<Message>)(of, them, message, now);
}

type Heard<M> = (of: Swarm, them: Neighbour, message: M, now: number) => boolean;

/** What is done with each message; true if there may be something to ask for now. */
const HEARD: { [K in Kind]: Heard<Message & { kind: K }> } = {
  [Kind.Hello]: hello,
  [Kind.Have]: note,
  [Kind.Ask]: wish,
  [Kind.Cancel]: (_, them, { chunk }) => {
    endWish(them, chunk);
    return false;
  },
  [Kind.Proof]: proof,
  [Kind.Block]: block,
  [Kind.Lack]: refuse,
  [Kind.Seek]: introduce,
  [Kind.Meet]: introduced,
  [Kind.Signal]: relay,
  [Kind.Relayed]: relayed,
  [Kind.Learn]: teach,
  [Kind.Digests]: taught,
};

function hello(of: Swarm, them: Neighbour, { room, id }: Message & { kind: Kind.Hello }, now: number): true {
  if (room.join() !== of.room.join()) return accuse(of, them, Fault.Room);
  // Two visitors with one number: whichever is the false one, it is not the one that was introduced.
  if (id !== them.link) return accuse(of, them, Fault.Value);
  them.greeted = true;
  // One more who can introduce others: the broker need not.
  if (!of.seeking) of.seek = now;
  return true;
}

/**
 * Ends the links to those who take to their limit and do not give, who never say who they are, and lets all others speak again;
 * all links, if this visitor is spent.
 */
function letGo(of: Swarm, now: number): void {
  // Whoever has all and has given it only takes up a place among its neighbours' links. One that lacks something may get it yet, and
  // have that to give, whether its page wants it now or not. What was given last may not have gone: a look later it has.
  const all = of.manifest.reduce((sum, { length }) => sum + chunkCount(length), 0);
  if (of.held.size === all && credit(of.ledger) < BLOCK && of.looks++) for (const link of of.neighbours.keys()) close(of, link);
  for (const them of linked(of)) {
    them.words = 0;
    const limit = them.wishes[0] && them.ask && balance(them) + BLOCK > trust(them);
    them.limit = limit ? (them.limit ?? now) : undefined;
    if (limit && now - them.limit! >= EVICT * (them.got > 0 ? KNOWN : UNKNOWN)) accuse(of, them, Fault.Taker, them.got === 0);
    else if (!them.greeted && now - them.opened! >= GREETING) accuse(of, them, Fault.Order, false);
  }
}

/** Chunks beyond our manifest are none of our business: others may know more objects. */
function note(of: Swarm, them: Neighbour, { ranges }: Message & { kind: Kind.Have }): true {
  const last = of.manifest.at(-1);
  const end = last ? last.first + chunkCount(last.length) : 0;
  for (const [from, to] of ranges) {
    for (let chunk = from; chunk < Math.min(to, end); chunk++) them.held.add(chunk);
  }
  return true;
}

/** What is wanted still keeps its history; what is not wanted any more is cancelled. */
function want(of: Swarm, chunks: readonly number[], now: number): void {
  const before = of.wanted;
  of.wanted = new Map();
  for (const chunk of chunks) {
    if (!of.held.has(chunk)) of.wanted.set(chunk, before.get(chunk) ?? wanted(now));
  }
  for (const them of linked(of)) {
    if (!them.ask || of.wanted.has(them.ask.chunk)) continue;
    them.stale = them.ask.chunk;
    forget(of, them);
  }
}
