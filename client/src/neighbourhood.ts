/** The links of this visitor and its socket to the broker: does what the exchange decides, and tells it what came of it. */
import type { Body } from "./body";
import { In, Out, type Input, type Output } from "./step";
import { join } from "./broker";
import { Talk } from "./signal";
import { encode, Kind, type Message } from "./message";
import { BROKER } from "./introducing";
import { connect, type Link, type LinkOptions } from "./link";
import type { Ledger } from "./ledger";

/** The outcomes of an introduction. */
const OPEN = 0;
const FAILED = 1;
/** Milliseconds between two reports. */
const REPORT = 2000;

export interface Neighbourhood {
  /** Does what concerns neighbours and broker; true if more is queued towards the neighbour than is good. */
  obey(output: Output): boolean | undefined;
  /** Tells the broker now and then what was got and given, if that has changed. */
  report(ledger: Ledger, links: number, now: number): void;
  close(): void;
}

/** Joins the room; `input` is told what is for the swarm, `calm` that it is over. */
export function neighbourhood(options: LinkOptions & { token: Uint8Array }, input: (what: Input) => void, calm: () => void): Neighbourhood {
  const links = new Map<number, Link>();
  /** Since when there is a link that is not open yet. */
  const opening = new Map<number, number>();
  let reported = -REPORT;
  let said = 0;

  const settle = (link: number, outcome: number): void => {
    const since = opening.get(link);
    if (!since) return;
    opening.delete(link);
    // Links that do not open are given up long before this overflows.
    broker.send({ kind: Talk.Linked, visitor: link, outcome, milliseconds: performance.now() - since });
  };
  const drop = (link: number): void => {
    links.get(link)?.close();
    links.delete(link);
    settle(link, FAILED);
  };
  const lose = (link: number): void => {
    drop(link);
    input({ kind: In.Closed, link });
  };
  const broker = join(
    options.token,
    (message) => {
      if (message.kind === Talk.Signalled) links.get(message.from)?.signal(message.body);
      else if (message.kind === Talk.Calm) calm();
      // One who has only lost its socket is still a neighbour.
      else if (message.kind !== Talk.Gone) input({ kind: In.Told, message });
      else if (opening.has(message.visitor)) lose(message.visitor);
    },
    () => {
      input({ kind: In.Lost });
    },
  );
  const send = (link: number, ...messages: Message[]): boolean | undefined => links.get(link)?.send(encode(...messages));
  /** Begins to connect with one who was introduced. */
  const meet = ({ link, by, passive }: Output & { kind: Out.Meet }): void => {
    opening.set(link, performance.now());
    const signal = (body: Body): void => {
      if (by === BROKER) broker.send({ kind: Talk.Signal, to: link, body });
      else send(by, { kind: Kind.Signal, to: link, body });
    };
    try {
      links.set(
        link,
        connect(options, link, passive, signal, (what) => {
          if (what.kind === In.Opened) settle(link, OPEN);
          if (what.kind === In.Closed) lose(link);
          else input(what);
        }),
      );
    } catch {
      // The browser has no more connections to give.
      lose(link);
    }
  };

  return {
    obey(output) {
      if (output.kind === Out.Send) return send(output.link, ...output.messages);
      if (output.kind === Out.Tell) broker.send(output.message);
      else if (output.kind === Out.Meet) meet(output);
      else if (output.kind === Out.Signal) links.get(output.link)?.signal(output.body);
      else if (output.kind === Out.Close) drop(output.link);
      return false;
    },
    report(ledger, open, now) {
      const sum = ledger.origin + ledger.peer + ledger.given + open;
      if (now - reported < REPORT || sum === said) return;
      reported = now;
      said = sum;
      broker.send({ kind: Talk.Report, ...ledger, links: open });
    },
    close() {
      broker.close();
      for (const link of links.keys()) lose(link);
    },
  };
}
