/** The way out: objects and digest lists from the origin itself, over HTTP, by their digests. */
import { PREFIX } from "./port";
import { join } from "./wire";
import { CHUNK, chunkLength, learn, type PageObject } from "./manifest";

/**
 * Fetches `count` chunks of `object` and delivers each as soon as it is there, not verified. Gives the milliseconds for
 * which the origin wants to be left alone, undefined if what is lacking is not worth another try. Never rejects.
 */
export async function fetchChunks(
  object: PageObject,
  chunk: number,
  count: number,
  stop: AbortSignal,
  deliver: (chunk: number, bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<number | undefined> {
  const from = (chunk - object.first) * CHUNK;
  const range = `${from}-${Math.min(from + count * CHUNK, object.length) - 1}`;
  try {
    const response = await fetch(`${PREFIX}object/${object.digest}`, {
      headers: { range: `bytes=${range}` },
      // The browser's cache lets only one request at a time to the same object pass.
      cache: "no-store",
      signal: stop,
    });
    // A saturated origin wants to be left alone, and says for how many seconds; ours does not name a date.
    if (response.status === 503) return (Number(response.headers.get("retry-after")) || 1) * 1000;
    // The one header that says both that it is a part and that it is the right one, of the right length.
    if (response.headers.get("content-range") !== `bytes ${range}/${object.length}`) return undefined;
    await cut(response.body!.getReader(), object, chunk, deliver);
  } catch {
    // What had come by then is delivered.
  }
  return 0;
}

/** Fetches the list of an object's digests, if it is still lacking; false if it cannot be had. */
export async function fetchDigests(object: PageObject, stop: AbortSignal): Promise<boolean> {
  try {
    if (!object.chunks) {
      const response = await fetch(`${PREFIX}digests/${object.digest}`, { signal: stop });
      learn(object, new Uint8Array(await response.arrayBuffer()));
    }
  } catch {
    // A neighbour may have told it meanwhile.
  }
  return Boolean(object.chunks);
}

/** Cuts a body that begins at `chunk` into chunks. What is left over, or comes after the object, is not delivered. */
async function cut(
  body: ReadableStreamDefaultReader<Uint8Array>,
  object: PageObject,
  chunk: number,
  deliver: (chunk: number, bytes: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  for (let rest = new Uint8Array(); ; ) {
    const { value } = await body.read();
    if (!value) return;
    rest = join([rest, value]);
    for (let length = chunkLength(object, chunk); length > 0 && rest.length >= length; length = chunkLength(object, chunk)) {
      deliver(chunk++, rest.slice(0, length));
      rest = rest.subarray(length);
    }
  }
}
