/** What the server put into the page (`docs/protocol.md`, in the page), read and validated once. */
import { fromBase64, fromHex } from "./hex";
import { chunkCount, type Manifest, type PageObject } from "./manifest";
import { DIGEST } from "./sha256";

export interface Page {
  room: Uint8Array;
  token: Uint8Array;
  /** Whether elements are held until the worker controls the page. */
  holds: boolean;
  holdMilliseconds: number;
  /** Whether addresses of private networks may be told and tried. */
  lan: boolean;
  /** A `stun:` URL. */
  stun: string | undefined;
  manifest: Manifest;
}

/** The JSON as it stands in the page. It is the origin's own, so only what would mislead us later is checked. */
interface Json {
  v: number;
  room: string;
  token: string;
  depth: string;
  hold_ms: number;
  lan?: boolean;
  stun?: number | string;
  objects: (Omit<PageObject, "chunks" | "headers"> & { chunks?: string; headers?: Record<string, string> })[];
}

/** The page's own description; undefined if there is none, or one of another version or form. */
export function readPage(text: string | null | undefined, location: URL): Page | undefined {
  try {
    return parse(JSON.parse(text ?? "") as Json, location);
  } catch {
    return undefined;
  }
}

function parse(json: Json, location: URL): Page | undefined {
  const room = fromHex(json.room);
  const token = fromBase64(json.token);
  const manifest = json.objects.map((object) => ({
    ...object,
    url: sameOrigin(object.url, location),
    headers: object.headers ?? {},
    chunks: object.chunks === undefined ? undefined : fromBase64(object.chunks),
  }));
  manifest.sort((a, b) => a.first - b.first);
  // Numbers that overlap: one object would be verified by the other's digests.
  let end = 0;
  const right = manifest.every(({ first, length, digest, chunks }) => {
    const apart = first >= end;
    end = first + chunkCount(length);
    return apart && end > first && digest.length === 2 * DIGEST && (chunks?.length ?? DIGEST * (end - first)) === DIGEST * (end - first);
  });
  if (json.v !== 1 || room.length !== 8 || token.length !== 29 || !right) return undefined;
  return {
    room,
    token,
    holds: json.depth === "media",
    holdMilliseconds: json.hold_ms,
    lan: json.lan === true,
    stun: typeof json.stun === "number" ? `stun:${location.hostname}:${json.stun}` : json.stun,
    manifest,
  };
}

/** Path and query of an address of this site; throws on any other. */
function sameOrigin(address: string, location: URL): string {
  const url = new URL(address, location);
  if (url.origin !== location.origin) throw new TypeError(address);
  return url.pathname + url.search;
}
