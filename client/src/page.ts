/** What the server put into the page (`docs/protocol.md`, in the page), read and validated once. */
import type { Page } from "./manifest";
import { fromBase64, fromHex } from "./hex";

/** The JSON as it stands in the page. It is the origin's own: what is wrong in it fails at a digest, and costs no more. */
interface Json {
  v: number;
  room: string;
  token: string;
  hold_ms: number;
  lan?: boolean;
  stun?: number | string;
  objects: JsonObject[];
}

interface JsonObject {
  url: string;
  type: string;
  length: number;
  etag: string;
  first: number;
  digest: string;
  chunks?: string;
  headers?: Record<string, string>;
}

/** The page's own description; undefined if there is none, or one of another version or form. */
export function readPage(text: string | null | undefined, base: string): Page | undefined {
  try {
    const json = JSON.parse(text ?? "") as Json;
    if (json.v !== 1) return undefined;
    const manifest = json.objects.map((object) => ({
      ...object,
      url: new URL(object.url, base).href,
      headers: object.headers ?? {},
      chunks: object.chunks ? fromBase64(object.chunks) : undefined,
      origin: 0,
      peer: 0,
    }));
    return {
      room: fromHex(json.room),
      token: fromBase64(json.token),
      hold: json.hold_ms,
      lan: json.lan ?? false,
      stun: typeof json.stun === "number" ? `stun:${new URL(base).hostname}:${json.stun}` : json.stun,
      manifest: manifest.sort((a, b) => a.first - b.first),
    };
  } catch {
    return undefined;
  }
}
