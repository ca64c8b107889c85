/**
 * The giving side of the exchange: what neighbours are told, and who gets the next block. Law 3 is kept here: a block is
 * booked in the ledger before it goes. Pure part of `exchange.ts`, twin of `src/swarm/giving.rs`.
 */
import { accuse, linked, say, stated, type Swarm } from "./state";
import { balance, credit, give } from "./ledger";
import { Fault } from "./fault";
import { spansOf } from "./ranges";
import { Kind, VERSION, type Message } from "./message";
import { trust, type Neighbour } from "./neighbour";
import { BLOCK, described, lacks } from "./manifest";
import { least } from "./roulette";

/** Milliseconds of waiting that weigh as much as one unit of credit. */
const WAIT = 300;
/** More than any credit and waiting weigh. */
const OWED = 1e12;

/** First words on a new link: who we are, all that we hold, and whether there are lists to learn. */
export function greet(of: Swarm, them: Neighbour): void {
  const learn: Message[] = of.manifest.some(lacks) ? [{ kind: Kind.Learn }] : [];
  say(of, them, { kind: Kind.Hello, wireVersion: VERSION, room: of.room, id: of.id }, ...learn, ...have(of, of.held));
}

/** Tells those what is new to them who wait for nothing; who waits for an answer hears with it, for it asks no sooner. */
export function announce(of: Swarm): void {
  for (const them of linked(of)) if (!them.wishes[0]) say(of, them, ...news(of, them));
}

/** What is new to a neighbour, to be told at once: with other words it costs next to nothing. */
export function news(of: Swarm, { fresh }: Neighbour): Message[] {
  const found = have(of, fresh);
  fresh.clear();
  return found;
}

/** Takes an Ask; true if its sender did wrong. Two stand at most; one that stands already is nothing new. */
export function wish(of: Swarm, them: Neighbour, { chunk, block }: Message & { kind: Kind.Ask }, since: number): boolean {
  if (!of.held.has(chunk)) lack(of, them, chunk);
  else if (block * BLOCK >= described(of.manifest, chunk)[0]) return accuse(of, them, Fault.Block);
  else if (!them.wishes.some((one) => one.chunk === chunk)) them.wishes[them.wishes.length && 1] = { since, chunk, block };
  return false;
}

/** Says the next block, or the proof ahead of it; nothing if nobody may be given one now. */
export function giveNext(of: Swarm, now: number): void {
  // The same until its chunk is sent, or its trust or our credit ends. Then the one to whom more is owed than it owes; of equals the
  // poorest, for its uplink is idle and a block wakes it; waiting makes up for riches, so that nobody starves; then chance.
  if (!of.giving || !mayGive(of, of.giving)) {
    const takers = linked(of).filter((them) => mayGive(of, them));
    of.giving = least(takers, (them) => them.credit * WAIT - (now - them.wishes[0]!.since) - (balance(them) < 0 ? OWED : 0) + of.chance());
  }
  const them = of.giving;
  const wish = them?.wishes[0];
  if (!wish) return;
  const { chunk, block } = wish;
  const held = of.store.get(chunk);
  if (!held) lack(of, them, chunk);
  else if (!wish.proven) {
    wish.proven = true;
    say(of, them, { kind: Kind.Proof, chunk, digests: held.digests });
  } else {
    const bytes = held.bytes.subarray(block * BLOCK, (block + 1) * BLOCK);
    // Law 3: booked before it goes. Nobody was chosen who has not the credit, but the ledger decides.
    if (!give(of.ledger, them, bytes.length)) return;
    if (++wish.block * BLOCK >= held.bytes.length) {
      // What it wants then waits like everybody's.
      endWish(them, chunk);
      of.giving = undefined;
    }
    // With it the news; a block goes to the end of its packet.
    say(of, them, ...news(of, them), { kind: Kind.Block, credit: stated(of), chunk, block, bytes });
  }
}

/**
 * Whether the next block of what it wants is within our credit and its trust. Whoever lacks nothing trusts all: to wait for
 * something in return would be in vain.
 */
function mayGive(of: Swarm, them: Neighbour): boolean {
  const { wishes: [wish], link, full } = them;
  if (!wish || full || of.neighbours.get(link) !== them) return false;
  const bytes = Math.min(described(of.manifest, wish.chunk)[0] - wish.block * BLOCK, BLOCK);
  return !of.quiet() && bytes <= credit(of.ledger) && (balance(them) + bytes <= trust(them) || !of.wanted.size);
}

/** Ends an Ask: it is fulfilled, or taken back. */
export function endWish(them: Neighbour, chunk: number): void {
  them.wishes = them.wishes.filter((one) => one.chunk !== chunk);
}

/** Answers an Ask for what is not held (any more). */
function lack(of: Swarm, them: Neighbour, chunk: number): void {
  endWish(them, chunk);
  say(of, them, { kind: Kind.Lack, chunk });
}

function have(of: Swarm, chunks: Iterable<number>): Message[] {
  const ranges = spansOf(chunks);
  return ranges.length ? [{ kind: Kind.Have, credit: stated(of), ranges }] : [];
}
