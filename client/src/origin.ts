/** The way out: objects and digest lists from the origin itself, over HTTP, by their digests. */
import { CHUNK, chunkLength, learn, type PageObject } from "./manifest";
import { PREFIX } from "./port";

/** How a fetch ended: `again` says in how many milliseconds it is worth another try, undefined that it is not. */
export interface Ended {
  again: number | undefined;
}

/** Fetches `count` chunks of `object` and delivers each as soon as it is there, not verified. Never rejects. */
export async function fetchChunks(
  object: PageObject,
  chunk: number,
  count: number,
  stop: AbortSignal,
  deliver: (chunk: number, bytes: Uint8Array) => void,
): Promise<Ended> {
  const from = (chunk - object.first) * CHUNK;
  const to = Math.min(from + count * CHUNK, object.length);
  try {
    const response = await fetch(`${PREFIX}object/${object.digest}`, {
      headers: { range: `bytes=${from}-${to - 1}` },
      // The browser's cache lets only one request at a time to the same object pass.
      cache: "no-store",
      signal: stop,
    });
    if (response.status === 503) return { again: retryAfter(response) };
    const right = response.headers.get("content-range") === `bytes ${from}-${to - 1}/${object.length}`;
    if (response.status !== 206 || !right || !response.body) return { again: undefined };
    await cut(response.body.getReader(), object, chunk, to - from, deliver);
    return { again: 0 };
  } catch {
    return { again: RETRY };
  }
}

/** Fetches the list of an object's digests, if it is still lacking; false if it cannot be had. */
export async function fetchDigests(object: PageObject, stop: AbortSignal): Promise<boolean> {
  if (object.chunks) return true;
  try {
    const response = await fetch(`${PREFIX}digests/${object.digest}`, { signal: stop });
    return response.ok && learn(object, new Uint8Array(await response.arrayBuffer()));
  } catch {
    return false;
  }
}

/** Cuts a body of `length` bytes into chunks. What is more or less than that is not delivered. */
async function cut(
  body: ReadableStreamDefaultReader<Uint8Array>,
  object: PageObject,
  chunk: number,
  length: number,
  deliver: (chunk: number, bytes: Uint8Array) => void,
): Promise<void> {
  let bytes = new Uint8Array(chunkLength(object, chunk));
  let filled = 0;
  while (length > 0) {
    const { done, value } = await body.read();
    if (done) return;
    for (let at = 0; at < value.length && length > 0; ) {
      const part = value.subarray(at, at + bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      at += part.length;
      length -= part.length;
      if (filled < bytes.length) continue;
      deliver(chunk++, bytes);
      bytes = new Uint8Array(length > 0 ? chunkLength(object, chunk) : 0);
      filled = 0;
    }
  }
}

/** Milliseconds that a saturated origin wants to be left alone; more than the page can wait for counts as never. */
function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after") ?? 1);
  return seconds <= AFTER_MOST ? seconds * 1000 : undefined;
}

/** Milliseconds before a request that broke is made again. */
const RETRY = 250;
/** Seconds of Retry-After that a page waits for: an ordinary request, which is never deferred, is better then. */
const AFTER_MOST = 5;
