/**
 * Who a connection is and where it can be reached, between a browser's SDP text and the few fields that two visitors
 * must tell each other. Pure. No text of a stranger ever becomes SDP: only checked ICE characters and numbers do.
 */
import { fromHex, toHex } from "./hex";

/** Server reflexive, in a candidate's place. */
export const REFLEXIVE = 0x10;

/** ICE credentials (RFC 8445 §5.3) and the SHA-256 fingerprint of the DTLS certificate (RFC 8122 §5), 32 bytes. */
export interface Identity {
  ufrag: string;
  pwd: string;
  fingerprint: Uint8Array;
}

/**
 * One address. The high nibble of `place` is 0 for host and 1 for server reflexive, the low one 4 or 6 for the family, or 0
 * for the UUID that a browser hides its address behind; `host` has 4 or 16 bytes.
 */
export interface Candidate {
  place: number;
  priority: number;
  host: Uint8Array;
  port: number;
}

/** The identity in a description that the browser made; undefined if it lacks a part. */
export function identityOf(sdp: string): Identity | undefined {
  const field = (name: string): string | undefined => new RegExp(`^a=${name}(\\S+)`, "m").exec(sdp)?.[1];
  const ufrag = field("ice-ufrag:");
  const pwd = field("ice-pwd:");
  const fingerprint = fromHex((field("fingerprint:sha-256 ") ?? "").replaceAll(":", ""));
  return ufrag && pwd && fingerprint.length === 32 ? { ufrag, pwd, fingerprint } : undefined;
}

/** The description of a neighbour as an answer to our offer; of the two, `passive` waits for the DTLS handshake. */
export function answer({ ufrag, pwd, fingerprint }: Identity, passive: boolean): string {
  const hex = toHex(fingerprint).toUpperCase().replace(/..(?!$)/g, "$&:");
  return [
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    `a=fingerprint:sha-256 ${hex}`,
    `a=setup:${passive ? "passive" : "active"}`,
    "a=sctp-port:5000",
    "",
  ].join("\r\n");
}

/** The candidate in a browser's text; undefined for those that never travel: TCP, relayed, another component. */
export function candidateOf(text: string): Candidate | undefined {
  const found = /^candidate:\S+ 1 udp (\d+) (\S+) (\d+) typ (host|srflx)/i.exec(text);
  const [family, host] = addressOf(found?.[2] ?? "");
  const place = family + (found?.[4] === "host" ? 0 : REFLEXIVE);
  return found && host.length === (family === 4 ? 4 : 16)
    ? { place, priority: Number(found[1]), host, port: Number(found[3]) }
    : undefined;
}

/** The text of a candidate, as `addIceCandidate` takes it. */
export function candidateText({ place, host, priority, port }: Candidate): string {
  const type = place < REFLEXIVE ? "host" : "srflx raddr 0.0.0.0 rport 0";
  return `candidate:1 1 udp ${priority} ${addressText(place % REFLEXIVE, host)} ${port} typ ${type}`;
}

/** The family and the bytes of an address as browsers write it; of any other text, a wrong number of bytes. */
export function addressOf(address: string): [family: number, host: Uint8Array] {
  if (address.endsWith(".local")) return [0, fromHex(address.slice(0, -6).replaceAll("-", ""))];
  if (!address.includes(":")) return [4, Uint8Array.from(address.split("."), Number)];
  // The two colons stand for so many that there are seven.
  const whole = address.replace("::", ":".repeat(10 - address.split(":").length)).split(":");
  return [6, fromHex(whole.map((group) => group.padStart(4, "0")).join(""))];
}

function addressText(family: number, host: Uint8Array): string {
  const hex = toHex(host);
  if (family === 4) return host.join(".");
  return family ? hex.replace(/.{4}(?!$)/g, "$&:") : `${hex.replace(/^.{8}|.{4}(?=.{12})/g, "$&-")}.local`;
}
