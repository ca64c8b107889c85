/**
 * The visitor in the page: brings together the worker's requests, the swarm, its neighbours and the origin. Decides
 * nothing; it carries inputs to `swarm.ts` and does what comes out.
 */
import type { Ledger } from "./ledger";
import { QUEUE } from "./link";
import { chunkLength, objectOf, type Manifest, type PageObject } from "./manifest";
import { encode } from "./message";
import { neighbourhood, type Neighbourhood } from "./neighbourhood";
import { fetchChunks, fetchDigests } from "./origin";
import type { Page } from "./page";
import type { Pull } from "./port";
import { ahead, feed, tell, type Reader } from "./reader";
import { memory } from "./store";
import { swarm } from "./state";
import { busy, handle, poll, type Input, type Output } from "./swarm";

/** Bytes of verified chunks kept in memory. */
const MEMORY = 64 * 1024 * 1024;
const MEMORY_MOBILE = 24 * 1024 * 1024;
/** Milliseconds between two looks at the clock while something is wanted or to be told. */
const TICK = 100;
/** Milliseconds between two signs of life to the worker, and two reports that something may have changed. */
const BEAT = 500;
/** Milliseconds that a request waits for its next byte before the network has it: twice the slowest way out. */
const PATIENCE = 10_000;

export interface Engine {
  /** Delivers the bytes `from..to` of the object at `url` on `port`, or says there that the network must. */
  readonly carry: (url: string, from: number, to: number, port: MessagePort) => void;
  /** Joins the room: at first, and again after `close`. */
  join(): void;
  /** Ends all links, and lets the network have what is under way. */
  readonly close: () => void;
  readonly ledger: Readonly<Ledger>;
  readonly objects: Manifest;
  links(): number;
}

export interface EngineEvents {
  /** What `links` or the objects tell has changed. */
  changed(what: "links" | "objects"): void;
  readonly calm: () => void;
}

export function engine(page: Page, small: boolean, on: EngineEvents): Engine {
  const { manifest, room } = page;
  const readers = new Set<Reader>();
  const store = memory(small ? MEMORY_MOBILE : MEMORY);
  // Courtesy to batteries and data plans.
  const quiet = (): boolean => small && document.hidden;
  const exchange = swarm({ manifest, room, store, quiet, random: Math.random }, performance.now());
  let links: Neighbourhood | undefined;
  let stop = new AbortController();
  let ticking: ReturnType<typeof setTimeout> | undefined;
  let beating: ReturnType<typeof setInterval> | undefined;

  const input = (what: Input): void => {
    handle(exchange, what, performance.now());
    for (let output = poll(exchange); output; output = poll(exchange)) obey(output);
    ticking ??= links && busy(exchange) ? setTimeout(tick, TICK) : undefined;
  };
  const tick = (): void => {
    ticking = undefined;
    input({ kind: "tick" });
  };
  const obey = (output: Output): void => {
    switch (output.kind) {
      case "send":
        links?.send(output.link, encode(output.message));
        if (output.message.kind === "block" && (links?.queued(output.link) ?? 0) >= QUEUE) {
          handle(exchange, { kind: "full", link: output.link }, performance.now());
        }
        break;
      case "drop":
        links?.drop(output.link, output.fault);
        break;
      case "fetch":
        void bring(output.chunk, output.count);
        break;
      case "got":
        got(output.chunk, output.from);
        break;
      case "failed":
        giveUp(objectOf(manifest, output.chunk));
    }
  };
  const bring = async (chunk: number, count: number): Promise<void> => {
    const object = objectOf(manifest, chunk);
    if (!object) return;
    const again = await fetchChunks(object, chunk, count, stop.signal, (one, bytes) => {
      input({ kind: "fetched", chunk: one, bytes });
    });
    input({ kind: "ended", chunk, count, again });
  };
  const got = (chunk: number, from: "origin" | "peer"): void => {
    const object = objectOf(manifest, chunk);
    if (!object) return;
    object[from] += chunkLength(object, chunk);
    on.changed("objects");
    for (const one of readers) if (one.object === object) serve(one);
  };
  const serve = (one: Reader): void => {
    const [, before] = ahead(one);
    if (!feed(one, store)) return;
    const [, after] = ahead(one);
    if (one.at === one.to) readers.delete(one);
    if (after !== before) want();
  };
  const want = (): void => {
    const chunks: number[] = [];
    for (const one of readers) {
      const [from, to] = ahead(one);
      // Without its digests nothing of an object can be verified, so nothing is asked for.
      for (let chunk = from; one.object.chunks && chunk < to; chunk++) chunks.push(chunk);
    }
    input({ kind: "want", chunks });
  };
  const giveUp = (object: PageObject | undefined): void => {
    if (!object || object.failed) return;
    object.failed = true;
    for (const one of readers) if (one.object === object) dismiss(one);
    want();
  };
  const dismiss = (one: Reader): void => {
    readers.delete(one);
    tell(one, { kind: "pass" });
  };
  const beat = (): void => {
    const now = performance.now();
    for (const one of readers) {
      if (one.hungry === undefined) continue;
      // Whatever holds the swarm up, the page must not wait for it for ever (law 4).
      if (now - one.hungry > PATIENCE) dismiss(one);
      else tell(one, { kind: "wait" });
    }
    links?.report(exchange.ledger, exchange.neighbours.size, now);
  };

  return {
    ledger: exchange.ledger,
    objects: manifest,
    links: () => exchange.neighbours.size,
    carry(url, from, to, port) {
      const object = manifest.find((one) => one.url === url);
      if (!links || !object || object.failed) {
        port.postMessage({ kind: "pass" });
        return;
      }
      const one: Reader = { object, at: from, to, port, hungry: undefined };
      port.onmessage = ({ data }: MessageEvent<Pull>) => {
        if (data.kind === "more") {
          one.hungry = performance.now();
          serve(one);
        } else if (readers.delete(one)) want();
      };
      readers.add(one);
      void fetchDigests(object, stop.signal).then((known) => {
        if (known) want();
        else giveUp(object);
      });
    },
    join() {
      stop = new AbortController();
      beating = setInterval(beat, BEAT);
      links = neighbourhood(page, {
        input: (what) => {
          input(what);
          if (what.kind === "opened" || what.kind === "closed") on.changed("links");
        },
        calm: on.calm,
      });
    },
    close() {
      const ended = links;
      links = undefined;
      ended?.close();
      stop.abort();
      clearTimeout(ticking);
      ticking = undefined;
      clearInterval(beating);
      readers.forEach(dismiss);
      for (const link of [...exchange.neighbours.keys()]) input({ kind: "closed", link });
      input({ kind: "want", chunks: [] });
      on.changed("links");
    },
  };
}
