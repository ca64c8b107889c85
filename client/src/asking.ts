/**
 * The asking side of the exchange: one chunk at a time of each neighbour, verified block by block, resumed elsewhere when
 * it stalls. Pure part of `exchange.ts`, twin of `src/swarm/asking.rs`, without its taking over of what was not begun and its asking
 * ahead: the script's budget is full.
 */
import { least } from "./roulette";
import { RETRY } from "./rules";
import { news } from "./giving";
import { Kind, type Message } from "./message";
import { Bringer, trustsUs, type Neighbour } from "./neighbour";
import { Fault } from "./fault";
import { BLOCK, described } from "./manifest";
import { accuse, forget, keep, linked, say, stated, type Swarm } from "./state";
import { add, begin } from "./chunk";

/** Asks that may be open, or cancelled and unanswered: one who lets more pile up is not asked again. */
const EXPECTED_MOST = 32;
/** Chunks in the making at a time (1 MiB): each neighbour sends one, others wait to be gone on with. */
const PARTIALS_MOST = 64;
/**
 * Chunks among which chance may choose: enough that visitors who come together hold different ones, and have something to
 * give each other; few enough to keep the page's order.
 */
const URGENT = 64;

/**
 * Asks every idle neighbour for one chunk: first those that can be expected to give, in any order, so that what stalled at
 * one is asked of another.
 */
export function askAll(of: Swarm, now: number): void {
  const all = linked(of).sort((a, b) => Number(trustsUs(b)) - Number(trustsUs(a)) || of.chance() - 0.5);
  for (const them of all) if (!them.ask && able(them)) ask(of, them, now);
  for (const them of all) {
    if (them.stale !== undefined) say(of, them, { kind: Kind.Cancel, chunk: them.stale });
    them.stale = undefined;
  }
}

/** Asks one neighbour for the rarest of what it holds and nobody brings; of what is left to the origin only if there is nothing else. */
function ask(of: Swarm, them: Neighbour, now: number): void {
  const open = unassigned(of).filter((chunk) => them.held.has(chunk));
  const rest = open.filter((chunk) => !of.spare.includes(chunk));
  // Of equals any: what is spread thin is spread first, while somebody has the credit to give it.
  const chunk = least(rest.length ? rest : open, (one) => linked(of).filter((other) => able(other) && other.held.has(one)).length + of.chance())!;
  // None of them, if there is none to choose.
  const entry = of.wanted.get(chunk);
  if (!entry) return;
  entry.from = Bringer.Peer;
  them.ask = { chunk, heard: now };
  // What it was asked for already, it need not be told again.
  if (them.stale !== chunk) {
    them.expected.push(chunk);
    say(of, them, { kind: Kind.Ask, credit: stated(of), chunk, block: of.partials.get(chunk)?.next ?? 0 }, ...news(of, them));
  } else them.stale = undefined;
}

/** The most urgent chunks that nobody brings. */
export function unassigned(of: Swarm): number[] {
  return [...of.wanted.keys()].filter((chunk) => of.wanted.get(chunk)?.from === Bringer.Nobody).slice(0, URGENT);
}

/** Takes asks elsewhere that brought nothing for too long. */
export function expire(of: Swarm, now: number): void {
  for (const them of linked(of)) {
    if (!them.ask || now - them.ask.heard < RETRY) continue;
    them.stale = them.ask.chunk;
    forget(of, them);
  }
}

/** Lack: it does not hold the chunk (any more). */
export function refuse(of: Swarm, them: Neighbour, { chunk }: Message & { kind: Kind.Lack }): true {
  them.expected = them.expected.filter((one) => one !== chunk);
  them.held.delete(chunk);
  if (them.ask?.chunk === chunk) forget(of, them);
  return true;
}

/** Takes a proof; true if there may be something to ask for now. */
export function proof(of: Swarm, them: Neighbour, { chunk, digests }: Message & { kind: Kind.Proof }): boolean {
  const at = them.expected.indexOf(chunk);
  if (at < 0) return accuse(of, them, Fault.Unasked);
  // The channel is ordered: what was asked before this one, it will not send any more.
  them.expected.splice(0, at + 1);
  them.sending = chunk;
  if (of.held.has(chunk) || of.partials.has(chunk)) return false;
  const [length, expected] = described(of.manifest, chunk);
  // The digests are a view of the message: what is kept is a copy.
  const partial = expected && begin(length, digests.slice(), expected);
  if (!partial) return accuse(of, them, Fault.Digest);
  of.partials.set(chunk, partial);
  // The oldest: nobody has brought any of it for longest, or it is not wanted any more.
  if (of.partials.size > PARTIALS_MOST) of.partials.delete([...of.partials.keys()][0]!);
  return false;
}

/** Takes a block; true if there may be something to ask for now. */
export function block(of: Swarm, them: Neighbour, message: Message & { kind: Kind.Block }, now: number): boolean {
  const { chunk, bytes } = message;
  if (them.sending !== chunk) return accuse(of, them, Fault.Unasked);
  const partial = of.partials.get(chunk);
  // Another was faster, or the chunk was here meanwhile, and is not kept any more: neither used nor counted.
  if (message.block !== partial?.next) return false;
  if (!add(partial, bytes)) return accuse(of, them, Fault.Digest);
  of.ledger.peer += bytes.length;
  them.got += bytes.length;
  them.gave = now;
  Object.assign(of.wanted.get(chunk) ?? {}, { failures: 0, covered: now });
  if (them.ask?.chunk === chunk) them.ask.heard = now;
  if (partial.next * BLOCK < partial.bytes.length) return false;
  keep(of, chunk, partial, them);
  return true;
}

/** Whether a neighbour can be asked at all: it lets no more pile up than it answers. */
export function able(them: Neighbour): boolean {
  return them.greeted && them.expected.length < EXPECTED_MOST;
}
