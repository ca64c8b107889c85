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

/** The page's own description; undefined if there is none, or one of another version or form. */
export function readPage(text: string | null | undefined, location: URL): Page | undefined {
  try {
    return parse(fields(JSON.parse(text ?? "")), location);
  } catch {
    return undefined;
  }
}

function parse(json: Fields, location: URL): Page | undefined {
  const room = fromHex(string(json["room"]));
  const token = fromBase64(string(json["token"]));
  if (json["v"] !== 1 || room.length !== 8 || token.length !== 29) return undefined;
  const manifest = list(json["objects"]).map((object) => parseObject(fields(object), location));
  manifest.sort((a, b) => a.first - b.first);
  // Two objects on the same chunk numbers: one of them would be asked for by the other's digests.
  manifest.forEach((object, at) => {
    const before = manifest[at - 1];
    require(!before || before.first + chunkCount(before.length) <= object.first);
  });
  return {
    room,
    token,
    holds: json["depth"] === "media",
    holdMilliseconds: number(json["hold_ms"]),
    lan: json["lan"] === true,
    stun: stunUrl(json["stun"], location),
    manifest,
  };
}

function parseObject(json: Fields, location: URL): PageObject {
  const url = new URL(string(json["url"]), location);
  require(url.origin === location.origin);
  const length = number(json["length"]);
  const chunks = json["chunks"] === undefined ? undefined : fromBase64(string(json["chunks"]));
  require(length > 0 && (!chunks || chunks.length === chunkCount(length) * DIGEST));
  const digest = string(json["digest"]);
  require(fromHex(digest).length === DIGEST);
  const headers = Object.entries(fields(json["headers"] ?? {})).map(([name, value]) => [name, string(value)]);
  return {
    url: url.pathname + url.search,
    type: string(json["type"]),
    length,
    etag: string(json["etag"] ?? ""),
    first: number(json["first"]),
    digest,
    chunks,
    headers: Object.fromEntries(headers) as Record<string, string>,
  };
}

/** A port is that of the page's own host. */
function stunUrl(stun: unknown, location: URL): string | undefined {
  if (typeof stun === "number") return `stun:${location.hostname}:${number(stun)}`;
  return typeof stun === "string" && /^stuns?:/.test(stun) ? stun : undefined;
}

type Fields = Record<string, unknown>;

function require(holds: boolean): asserts holds {
  if (!holds) throw new TypeError();
}

function fields(value: unknown): Fields {
  require(typeof value === "object" && value !== null);
  return value as Fields;
}

function list(value: unknown): unknown[] {
  require(Array.isArray(value));
  return value;
}

function string(value: unknown): string {
  require(typeof value === "string");
  return value;
}

/** A count: whole, and not negative. */
function number(value: unknown): number {
  require(typeof value === "number" && Number.isSafeInteger(value) && value >= 0);
  return value;
}
