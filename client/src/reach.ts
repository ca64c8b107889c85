/**
 * Which candidates are told and tried: those that can be reached from outside, by the rules of the broker
 * (`src/swarm/reach.rs`). A visitor's own network is nobody else's business, and no neighbour's to name. Pure.
 */
import type { Candidate } from "./identity";
import { toHex } from "./hex";

/** What no single host has, in hexadecimal: all zeros, IPv4 multicast and broadcast, IPv6 multicast. */
const NOBODY = /^(0+|e.{7}|f{8}|ff.{30})$/;
/**
 * What can be reached. IPv4 but for 0/8, 10/8, 127/8, 169.254/16, 172.16/12, 192.168/16, 192.0.0/24, 192.0.2/24, 100.64/10
 * (RFC 6598), 198.18/15, 198.51.100/24, 203.0.113/24 and 224/3; IPv6 of 2000::/3 but for Teredo, documentation and 6to4.
 */
const OUTSIDE = /^((?!0[0a]|7f|a9fe|ac1|c0a8|c0000[02]|64[4-7]|c61[23]|c63364|cb0071|[ef]).{8}|(?!20010000|20010db8|2002)[23].{31})$/;

/** Whether others can try this candidate; with `lan` (intranets, tests) whatever is somebody's. */
export function reachable({ place, host }: Candidate, lan: boolean): boolean {
  // An IPv4 address in IPv6 clothes is undressed first: it was a way around such rules in other servers (CVE-2026-27624).
  const hex = toHex(host).replace(/^0{20}ffff/, "");
  return place % 16 && !lan ? OUTSIDE.test(hex) : lan && !NOBODY.test(hex);
}
