/**
 * Who meets whom: the broker introduces the first two, neighbours the rest. Asking for introductions, being introduced, and
 * introducing others (`docs/protocol.md`, introduced by a neighbour). Pure part of `exchange.ts`.
 */
import { Talk } from "./signal";
import { Kind, SEEK_MOST, type Message } from "./message";
import { linked, say, tell, type Swarm } from "./state";
import { Part } from "./body";
import { reachable } from "./reach";
import { neighbour, type Neighbour } from "./neighbour";
import { LINKS, LINKS_MAX, MEET, SEEK, TRUST, TRUST_GIVER, UNSOUGHT } from "./rules";
import { Out } from "./step";

/** The broker, in the place of the neighbour who introduced somebody. */
export const BROKER = -1;

/** One direction of an introduction that we made: how many bodies of each kind may still pass, and until when. */
export interface Introduction {
  readonly from: number;
  readonly to: number;
  readonly until: number;
  /** None, identities, candidates. */
  readonly left: number[];
}

/** Links begun in one visit: browsers refuse after some hundreds, and free them late. */
const MADE_MOST = 64;
/** Milliseconds for which the broker is left alone, at most. */
const REST_MOST = 32_000;

/**
 * Asks for neighbours that lack: one neighbour after the other to introduce some, and when all were asked, the broker. Who has
 * to ask the origin has neighbours without credit, and seeks another beside them.
 */
export function seek(of: Swarm, now: number): void {
  // Who takes to its limit and does not give is none.
  const count = LINKS + of.fetches - [...of.neighbours.values()].filter(({ limit }) => !limit).length;
  if (count <= 0 || !of.wanted.size || now < of.seek) return;
  const them = linked(of).find(({ greeted, sought }) => greeted && !sought);
  if (them) {
    them.sought = true;
    of.seeking = true;
    of.seek = now + SEEK;
    say(of, them, { kind: Kind.Seek, count: Math.min(count, SEEK_MOST), known: [...of.neighbours.keys()] });
    return;
  }
  of.seeking = false;
  // Twice as long each time that nobody came: a small room has no more.
  of.seek = now + of.rest;
  of.rest = Math.min(of.rest * 2, REST_MOST);
  for (const one of linked(of)) one.sought = false;
  tell(of, { kind: Talk.Need, count });
}

/** Begins to connect with one whom the broker or a neighbour introduced, if there is room. */
export function meet(of: Swarm, link: number, by: number, first = TRUST): void {
  if (of.looks || of.neighbours.has(link) || link === of.id || of.banned.has(link) || of.neighbours.size >= LINKS_MAX || of.made >= MADE_MOST) return;
  of.made++;
  of.rest = SEEK;
  of.neighbours.set(link, neighbour(link, by, first));
  of.outputs.push({ kind: Out.Meet, link, by, passive: of.id < link });
}

/** A neighbour introduces somebody: one who was sought, or who seeks us; so many of both as of the second alone. */
export function introduced(of: Swarm, by: Neighbour, { visitor, gives }: Message & { kind: Kind.Meet }, now: number): false {
  if (now - of.counted >= MEET) {
    of.counted = now;
    of.met = 0;
  }
  // A stranger gets as little as the broker's: free riders live on links, and would vouch for each other.
  if (of.met++ < UNSOUGHT) meet(of, visitor, by.link, gives && by.got ? TRUST_GIVER : TRUST);
  return false;
}

/** A neighbour asks to be introduced: to some of the others, at once, or not at all. */
export function introduce(of: Swarm, them: Neighbour, { count, known }: Message & { kind: Kind.Seek }, now: number): false {
  if (now < them.seeks) return false;
  them.seeks = now + SEEK / 2;
  of.introductions = of.introductions.filter(({ until }) => now < until);
  const fits = (other: Neighbour): boolean =>
    other.greeted && other !== them && !known.includes(other.link) && !introduction(of, them.link, other.link, now);
  // Who lacks most stays longest.
  const others = linked(of).filter(fits).sort((a, b) => a.held.size - b.held.size || of.chance() - 0.5);
  for (const other of others.slice(0, count)) {
    for (const [one, { link: from, got }] of [[them, other], [other, them]] as const) {
      of.introductions.push({ from, to: one.link, until: now + MEET, left: [0, 1, 8] });
      say(of, one, { kind: Kind.Meet, visitor: from, gives: got > 0 ? 1 : 0 });
    }
  }
  return false;
}

/** Hands on what one whom we introduced has to say to the other: what it is to us, and how often, is not its choice. */
export function relay(of: Swarm, { link: from }: Neighbour, { to, body }: Message & { kind: Kind.Signal }, now: number): false {
  const way = introduction(of, from, to, now);
  const them = of.neighbours.get(to);
  if (way && them && (body.kind === Part.Identity || reachable(body.candidate, of.lan)) && way.left[body.kind]!-- > 0) say(of, them, { kind: Kind.Relayed, from, body });
  return false;
}

/** Takes what an introducer hands on, for one with whom a link is beginning. */
export function relayed(of: Swarm, by: Neighbour, { from: link, body }: Message & { kind: Kind.Relayed }): false {
  if (of.neighbours.get(link)?.by === by.link) of.outputs.push({ kind: Out.Signal, link, body });
  return false;
}

function introduction(of: Swarm, from: number, to: number, now: number): Introduction | undefined {
  return of.introductions.find((one) => one.from === from && one.to === to && now < one.until);
}
