/**
 * Who a connection is and where it can be reached, between a browser's SDP text and the few fields that two visitors
 * must tell each other. Pure. No text of a stranger ever becomes SDP: only checked ICE characters and numbers do.
 */
import { fromHex, toHex } from "./hex";

/** ICE credentials (RFC 8445 §5.3) and the SHA-256 fingerprint of the DTLS certificate (RFC 8122 §5), 32 bytes. */
export interface Identity {
  ufrag: string;
  pwd: string;
  fingerprint: Uint8Array;
}

/** One address: `host` is 4 bytes for family 4, 16 for 6, or for 0 the 16 of the UUID that a browser hides it behind. */
export interface Candidate {
  type: "host" | "reflexive";
  family: number;
  priority: number;
  host: Uint8Array;
  port: number;
}

/** The identity in a description that the browser made; undefined if it lacks a part. */
export function identityOf(sdp: string): Identity | undefined {
  const field = (name: string): string | undefined => new RegExp(`^a=${name}(\\S+)\\s*$`, "m").exec(sdp)?.[1];
  const ufrag = field("ice-ufrag:");
  const pwd = field("ice-pwd:");
  const fingerprint = fromHex((field("fingerprint:sha-256 ") ?? "").replaceAll(":", "").toLowerCase());
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
  const [, priority, address = "", port, type] = found ?? [];
  const place = hostOf(address);
  return place && { type: type === "host" ? type : "reflexive", ...place, priority: Number(priority), port: Number(port) };
}

/** The text of a candidate, as `addIceCandidate` takes it. */
export function candidateText({ type, family, host, priority, port }: Candidate): string {
  const related = type === "host" ? "host" : "srflx raddr 0.0.0.0 rport 0";
  return `candidate:1 1 udp ${priority} ${hostText(family, host)} ${port} typ ${related}`;
}

/** Whether an address is one of a private network, or of this host: a stranger must neither learn nor probe it. */
export function isPrivate({ family, host }: Candidate): boolean {
  const [a = 0, b = 0] = host;
  if (family === 0) return true;
  if (family === 6) {
    // Everything but global unicast, 2000::/3: loopback, unique local, link local, mapped IPv4, multicast.
    return a >> 5 !== 1;
  }
  return (
    a === 0 || a === 10 || a === 127 || a >= 224 ||
    (a === 100 && b >> 6 === 1) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >> 4 === 1) ||
    (a === 192 && b === 168)
  );
}

/** The bytes of an address as browsers write them. */
export function hostOf(address: string): Pick<Candidate, "family" | "host"> | undefined {
  const name = /^([\da-f-]{36})\.local$/i.exec(address);
  if (name) return sized(0, fromHex((name[1] ?? "").replaceAll("-", "").toLowerCase()), 16);
  if (!address.includes(":")) return sized(4, Uint8Array.from(address.split("."), Number), 4);
  // A dotted tail (mapped IPv4) is private anyway, and does not travel.
  const [head = "", tail] = address.split("::");
  const groups = (text: string | undefined): string[] => (text ? text.split(":") : []);
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(Math.max(zeros, 0)).fill("0"), ...groups(tail)];
  return sized(6, fromHex(all.map((group) => group.padStart(4, "0")).join("").toLowerCase()), 16);
}

function sized(family: number, host: Uint8Array, length: number): Pick<Candidate, "family" | "host"> | undefined {
  return host.length === length ? { family, host } : undefined;
}

function hostText(family: number, host: Uint8Array): string {
  if (family === 4) return host.join(".");
  const hex = toHex(host);
  return family === 6
    ? hex.replace(/.{4}(?!$)/g, "$&:")
    : `${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}.local`;
}
