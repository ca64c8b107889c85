/** The links of this visitor: whom the broker introduced, how it went, and whether more are needed. */
import { join, type Broker } from "./broker";
import type { Fault } from "./fault";
import { connect, type Link, type LinkOptions } from "./link";
import type { Ledger } from "./ledger";
import type { Body, FromBroker } from "./signal";
import type { Input } from "./swarm";

/** The outcomes of an introduction. */
const OPEN = 0;
const FAILED = 1;
/** Neighbours that are wanted, and that are let in: what the study of the exchange found best (`docs/swarm.md`). */
const LINKS = 8;
const LINKS_MOST = 12;
/** Connections made in one visit: browsers refuse after some hundreds, and free them late. */
const MADE_MOST = 64;
/** Milliseconds between two reports. */
const REPORT = 2000;
/** Milliseconds between two requests for more neighbours, at first and at most. */
const NEED = 2000;
const NEED_MOST = 32_000;

export interface Neighbourhood {
  send(link: number, bytes: Uint8Array<ArrayBuffer>): void;
  queued(link: number): number;
  /** Ends the link to one who did wrong, for good. */
  drop(link: number, fault: Fault): void;
  /** Tells the broker now and then what was got and given, if that has changed, and asks for neighbours that lack. */
  report(ledger: Ledger, links: number, now: number): void;
  close(): void;
}

export interface NeighbourhoodEvents {
  /** Something for the swarm. */
  input(what: Input): void;
  /** The page is calm. */
  readonly calm: () => void;
}

interface Acquaintance {
  link: Link;
  since: number;
  open: boolean;
}

export function neighbourhood(
  options: Omit<LinkOptions, "link" | "passive"> & { token: Uint8Array },
  on: NeighbourhoodEvents,
): Neighbourhood {
  const known = new Map<number, Acquaintance>();
  const banned = new Set<number>();
  let id = 0;
  let made = 0;
  let reported = -REPORT;
  let said = "";
  let needed = 0;
  let wait = NEED;

  const linked = (visitor: number, outcome: number, since: number): void => {
    broker.send({ kind: "linked", visitor, outcome, milliseconds: Math.min(Math.round(performance.now() - since), 0xffff) });
  };
  const leave = (visitor: number): void => {
    const them = known.get(visitor);
    if (!them) return;
    known.delete(visitor);
    them.link.close();
    if (them.open) on.input({ kind: "closed", link: visitor });
    else linked(visitor, FAILED, them.since);
    wait = NEED;
  };
  const meet = (visitor: number): void => {
    if (visitor === id || known.has(visitor) || banned.has(visitor) || known.size >= LINKS_MOST || made >= MADE_MOST) return;
    made++;
    const input = (what: Input): void => {
      if (what.kind === "closed") {
        leave(visitor);
        return;
      }
      if (what.kind === "opened") {
        them.open = true;
        linked(visitor, OPEN, them.since);
      }
      on.input(what);
    };
    const signal = (body: Body): void => {
      broker.send({ kind: "signal", to: visitor, body });
    };
    let link: Link;
    try {
      link = connect({ ...options, link: visitor, passive: id < visitor }, { signal, input });
    } catch {
      // The browser has no more connections to give.
      made = MADE_MOST;
      return;
    }
    const them = { link, since: performance.now(), open: false };
    known.set(visitor, them);
    on.input({ kind: "meeting" });
  };
  const heard = (message: FromBroker): void => {
    switch (message.kind) {
      case "welcome":
        id = message.id;
        on.input(message);
        break;
      case "meet":
        meet(message.visitor);
        break;
      case "signal":
        known.get(message.from)?.link.signal(message.body);
        break;
      case "gone":
        // One who has only lost its socket is still a neighbour.
        if (known.get(message.visitor)?.open === false) leave(message.visitor);
        break;
      case "calm":
        on.calm();
    }
  };
  const broker: Broker = join(options.token, Math.random, {
    heard,
    lost: () => {
      on.input({ kind: "alone" });
    },
  });

  return {
    send(link, bytes) {
      known.get(link)?.link.send(bytes);
    },
    queued: (link) => known.get(link)?.link.queued() ?? 0,
    drop(link, fault) {
      banned.add(link);
      broker.send({ kind: "accuse", visitor: link, fault });
      leave(link);
    },
    report(ledger, links, now) {
      const report = { kind: "report", ...ledger, links } as const;
      const text = Object.values(report).join();
      if (now - reported >= REPORT && text !== said) {
        reported = now;
        said = text;
        broker.send(report);
      }
      if (known.size >= LINKS || made >= MADE_MOST || now - needed < wait) return;
      // Twice as long each time that nobody comes: a small room has no more.
      needed = now;
      wait = Math.min(wait * 2, NEED_MOST);
      broker.send({ kind: "need", count: LINKS - known.size });
    },
    close() {
      broker.close();
      for (const { link } of known.values()) link.close();
      known.clear();
    },
  };
}
