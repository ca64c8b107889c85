/**
 * The visitor in the page: brings together the worker's requests, the swarm, its neighbours and the origin. Decides
 * nothing; it carries inputs to `exchange.ts` and does what comes out.
 */
import type { Pull } from "./port";
import { linked, swarm } from "./state";
import type { Ledger } from "./ledger";
import { chunkLength, lacks, objectOf, type Manifest, type Page, type PageObject } from "./manifest";
import { ahead, feed, tell, type Reader } from "./reader";
import { memory } from "./store";
import { LOOK } from "./rules";
import { Talk } from "./signal";
import { handle, poll } from "./exchange";
import { neighbourhood, type Neighbourhood } from "./neighbourhood";
import { fetchChunks, fetchDigests } from "./origin";
import { In, Out, type Input, type Output } from "./step";

/** Bytes of verified chunks kept in memory. */
const MEMORY = 64e6;
const MEMORY_MOBILE = 24e6;
/**
 * Milliseconds without a chunk of anything until the network has what requests wait for: twice the slowest way out. A crowd with
 * thin links brings one object after the other; the last may wait for a minute, and would take no less time from an origin at which
 * everybody gives up.
 */
const PATIENCE = 10_000;
/** Milliseconds for which neighbours are waited for to tell a list of digests: twice what it takes to meet the first. */
const TELLING = 1000;

/** The links that one reports who needs none any more: more than anybody has. */
const LINKS_NONE = 255;

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
  const { manifest, room, lan } = page;
  const readers = new Set<Reader>();
  const store = memory(small ? MEMORY_MOBILE : MEMORY);
  // Courtesy to batteries and data plans.
  const quiet = (): boolean => small && document.hidden;
  const exchange = swarm({ manifest, room, lan, store, quiet, chance: Math.random }, performance.now());
  /** Wakes those who wait for lists of digests: whatever happens, be it a tick, may be the end of it. */
  const waits: (() => void)[] = [];
  let links: Neighbourhood | undefined;
  /** When the last chunk came. */
  let came = 0;
  let stop: AbortController;
  let beating: ReturnType<typeof setInterval> | undefined;

  const input = (what: Input): void => {
    const now = performance.now();
    handle(exchange, what, now);
    for (let output = poll(exchange, now); output; output = poll(exchange, now)) obey(output, now);
    for (const wake of waits.splice(0)) wake();
  };
  const obey = (output: Output, now: number): void => {
    if (!("chunk" in output)) {
      // Only what is sent to somebody can be too much.
      if (links?.obey(output)) handle(exchange, { kind: In.Full, link: (output as Output & { kind: Out.Send }).link, full: true }, now);
      return;
    }
    // The exchange names no chunk that the manifest does not.
    const object = objectOf(manifest, output.chunk)!;
    if (output.kind === Out.Fetch) void bring(object, output.chunk, output.count);
    else if (output.kind === Out.Failed) giveUp(object);
    else {
      came = now;
      object[output.from] += chunkLength(object, output.chunk);
      on.changed("objects");
      for (const one of readers) if (one.object === object) serve(one);
    }
  };
  /** Resolves when the list of an object's digests is here, to false if it cannot be had; neighbours have so long to tell it. */
  const list = async (object: PageObject, patience: number): Promise<boolean> => {
    const end = performance.now() + patience;
    // Where there is nobody to tell it, nor ever will be, it is not waited for.
    while (lacks(object) && !exchange.plain && exchange.hope > 0 && performance.now() < end) {
      await new Promise<void>((resolve) => waits.push(resolve));
    }
    return fetchDigests(object, stop.signal);
  };
  const hear = (what: Input): void => {
    const object = what.kind === In.Told && what.message.kind === Talk.Chunk && objectOf(manifest, what.message.chunk);
    // A seed may be of an object whose digests nobody has asked for yet. Whoever reads the object fetches them sooner.
    if (object && !object.chunks) {
      void list(object, TELLING * 2).then(() => {
        input(what);
      });
    } else input(what);
    if (what.kind === In.Opened || what.kind === In.Closed) on.changed("links");
  };
  const bring = async (object: PageObject, chunk: number, count: number): Promise<void> => {
    const again = await fetchChunks(object, chunk, count, stop.signal, (one, bytes) => {
      input({ kind: In.Fetched, chunk: one, bytes });
    });
    input({ kind: In.Ended, chunk, count, again });
  };
  const serve = (one: Reader): void => {
    if (!feed(one, store)) return;
    if (one.at === one.to) readers.delete(one);
    want();
  };
  const want = (): void => {
    const chunks: number[] = [];
    for (const one of readers) {
      const [from, to] = ahead(one);
      // Without its digests nothing of an object can be verified, so nothing is asked for.
      for (let chunk = from; one.object.chunks && chunk < to; chunk++) chunks.push(chunk);
    }
    input({ kind: In.Want, chunks });
  };
  const giveUp = (object: PageObject): void => {
    object.failed = true;
    for (const one of readers) if (one.object === object) dismiss(one);
    want();
  };
  const dismiss = (one: Reader): void => {
    readers.delete(one);
    tell(one, { what: "pass" });
  };
  const beat = (): void => {
    const now = performance.now();
    input({ kind: In.Tick });
    for (const one of readers) {
      if (!one.hungry) continue;
      // Whatever holds the swarm up, the page must not wait for it for ever (law 4).
      if (now - Math.max(one.hungry, came) > PATIENCE) dismiss(one);
      else tell(one, { what: "wait" });
    }
    links?.report(exchange.ledger, exchange.looks ? LINKS_NONE : linked(exchange).length, now);
  };

  return {
    ledger: exchange.ledger,
    objects: manifest,
    links: () => linked(exchange).length,
    carry(url, from, to, port) {
      const object = manifest.find((one) => one.url === url);
      if (!links || !object || object.failed) {
        port.postMessage({ what: "pass" });
        return;
      }
      const one: Reader = { object, at: from, to, port, hungry: undefined };
      port.onmessage = ({ data }: MessageEvent<Pull>) => {
        if (data.what === "more") {
          one.hungry = performance.now();
          serve(one);
        } else if (readers.delete(one)) want();
      };
      readers.add(one);
      void list(object, TELLING).then((known) => {
        if (known) want();
        else giveUp(object);
      });
    },
    join() {
      stop = new AbortController();
      beating = setInterval(beat, LOOK);
      links = neighbourhood(page, hear, on.calm);
    },
    close() {
      const ended = links;
      links = undefined;
      ended?.close();
      stop.abort();
      clearInterval(beating);
      readers.forEach(dismiss);
      input({ kind: In.Lost });
      want();
    },
  };
}
