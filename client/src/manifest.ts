/**
 * The objects of the page that visitors may pass on, and where each chunk of the room belongs. Pure; how it is read from
 * the page is `page.ts`'s business.
 */
import { fromHex } from "./hex";
import { DIGEST, matches } from "./sha256";

/** Bytes of a chunk: what is held and asked for. */
export const CHUNK = 16_384;
/** Bytes of a block: what is verified and credited. */
export const BLOCK = 1_024;
/** Blocks of a whole chunk. */
export const BLOCKS = CHUNK / BLOCK;

/** Chunks up to which visitors tell each other an object's list of digests. */
export const TOLD_MOST = 128;

/**
 * One object: `url` is absolute, `first` numbers its first chunk in the room, `chunks` holds their digests once they are
 * known, `origin` and `peer` count its verified bytes by where they came from; what has `failed` is the network's.
 */
export interface PageObject {
  readonly url: string;
  readonly type: string;
  readonly length: number;
  readonly etag: string;
  readonly first: number;
  readonly digest: string;
  readonly headers: Readonly<Record<string, string>>;
  chunks: Uint8Array | undefined;
  origin: number;
  peer: number;
  failed?: boolean;
}

/** All objects, by rising `first`. */
export type Manifest = readonly PageObject[];

/** What the server says of the page. */
export interface Page {
  room: Uint8Array;
  token: Uint8Array;
  /** Milliseconds for which elements may be held until the worker controls the page. */
  hold: number;
  /** Whether addresses of private networks may be told and tried. */
  lan: boolean;
  /** A `stun:` URL. */
  stun: string | undefined;
  manifest: Manifest;
}

/** How many chunks an object of `length` bytes has. */
export function chunkCount(length: number): number {
  return Math.ceil(length / CHUNK);
}

/** The object that `chunk` is part of. */
export function objectOf(manifest: Manifest, chunk: number): PageObject | undefined {
  return manifest.find(({ first, length }) => chunk >= first && chunk < first + chunkCount(length));
}

/** Bytes of `chunk`, which is one of `object`'s. */
export function chunkLength(object: PageObject, chunk: number): number {
  return Math.min(CHUNK, object.length - (chunk - object.first) * CHUNK);
}

/** The bytes of `chunk` and the digest that it must have: none where the manifest does not know it, or not yet. */
export function described(manifest: Manifest, chunk: number): [length: number, digest: Uint8Array | undefined] {
  const object = objectOf(manifest, chunk);
  if (!object) return [0, undefined];
  const at = (chunk - object.first) * DIGEST;
  return [chunkLength(object, chunk), object.chunks?.subarray(at, at + DIGEST)];
}

/** Whether the list of an object's digests is not here yet, and neighbours may tell it. */
export function lacks({ chunks, length }: PageObject): boolean {
  return !chunks && chunkCount(length) <= TOLD_MOST;
}

/** Takes a list of digests, if it is the one that the object's own digest names. */
export function learn(object: PageObject, chunks: Uint8Array): boolean {
  if (!matches(chunks, fromHex(object.digest))) return false;
  object.chunks = chunks;
  return true;
}
