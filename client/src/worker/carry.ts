/** One answer from the swarm: status and headers as the origin would give them, body pulled as the browser reads it. */
import type { Carried } from "../port";
import { rangeApplies, spanOf } from "./range";
import { fromNetwork, fromPage, type Page, type Source } from "./source";

/** Conditions and credentials that only the origin can judge. */
const ODD = ["authorization", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/** Whether a request is one that bytes of the manifest can answer; anything odd is the network's. */
export function carriable(request: Request): boolean {
  return (
    request.method === "GET" &&
    request.mode !== "navigate" &&
    // Films that began on the network must end there; see `hold.ts`.
    (request.mode === "cors" || !/^(audio|video)$/.test(request.destination)) &&
    (request.cache === "default" || request.cache === "force-cache") &&
    request.integrity === "" &&
    !ODD.some((name) => request.headers.has(name))
  );
}

/** The answer to `request` by the page; the network's own answer if the page has not a single byte of it. */
export async function carry(request: Request, page: Page, object: Carried): Promise<Response> {
  const { length } = object;
  const asked = rangeApplies(request.headers.get("if-range"), object.etag) ? request.headers.get("range") : null;
  const span = spanOf(asked, length);
  if (span.kind === "several") return fetch(request);
  if (span.kind === "unsatisfiable") {
    return new Response(null, { status: 416, headers: { "content-range": `bytes */${length}` } });
  }
  const [from, to] = span.kind === "part" ? [span.from, span.to] : [0, length];

  const source = fromPage(page, object.url, from, to);
  const first = await source.next();
  if (!first) {
    source.stop();
    return fetch(request);
  }
  const headers = new Headers(object.headers);
  headers.set("content-type", object.type);
  headers.set("content-length", `${to - from}`);
  headers.set("accept-ranges", "bytes");
  if (object.etag) headers.set("etag", object.etag);
  if (span.kind === "part") headers.set("content-range", `bytes ${from}-${to - 1}/${length}`);
  return new Response(body(object, source, first, from, to), { status: span.kind === "part" ? 206 : 200, headers });
}

/** Times that the network may fail one after the other before the answer breaks off, as it would without us. */
const TRIES = 3;

/** The bytes `at..to`, of which `first` are there; where the page fails, the network goes on at that very byte. */
function body(object: Carried, source: Source, first: Uint8Array<ArrayBuffer>, at: number, to: number): ReadableStream {
  let next: Uint8Array<ArrayBuffer> | undefined = first;
  let dead = false;
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    next ??= await source.next();
    for (let tries = 0; !next && !dead && tries < TRIES; tries++) {
      source.stop();
      const rest = await fromNetwork(object, at, to);
      if (rest) source = rest;
      next = await rest?.next();
    }
    // Cancelled meanwhile: nobody reads, and nothing more must be fetched for it.
    if (dead) {
      source.stop();
      return;
    }
    if (!next || at + next.length > to) {
      controller.error(new TypeError("the rest could not be loaded"));
      return;
    }
    controller.enqueue(next);
    at += next.length;
    next = undefined;
    if (at === to) {
      controller.close();
      source.stop();
    }
  };
  return new ReadableStream(
    {
      pull,
      cancel() {
        dead = true;
        source.stop();
      },
    },
    { highWaterMark: 0 },
  );
}
