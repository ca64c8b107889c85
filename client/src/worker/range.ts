/** The Range header of a request (RFC 9110 §14), for a representation whose length is known. Pure. */

export type Span =
  | { kind: "whole" }
  | { kind: "part"; from: number; to: number }
  | { kind: "unsatisfiable" }
  /** Several ranges: more than we answer. */
  | { kind: "several" };

/** What `range` asks for of `length` bytes; `to` is not included. What is malformed is ignored, as the RFC says. */
export function spanOf(range: string | null, length: number): Span {
  const set = /^bytes\s*=\s*(.*)$/i.exec(range?.trim() ?? "")?.[1];
  if (set === undefined) return { kind: "whole" };
  if (set.includes(",")) return { kind: "several" };
  const [, first = "", last = ""] = /^(\d*)\s*-\s*(\d*)$/.exec(set.trim()) ?? [];
  if (first === "" && last === "") return { kind: "whole" };
  if (first === "") {
    const suffix = Math.min(Number(last), length);
    return suffix > 0 ? { kind: "part", from: length - suffix, to: length } : { kind: "unsatisfiable" };
  }
  const from = Number(first);
  const to = last === "" ? length : Math.min(Number(last) + 1, length);
  if (last !== "" && Number(last) < from) return { kind: "whole" };
  return from < length ? { kind: "part", from, to } : { kind: "unsatisfiable" };
}

/** Whether the condition of If-Range holds; without it the whole is sent. Only a strong tag can match (§13.1.5). */
export function rangeApplies(ifRange: string | null, etag: string): boolean {
  return ifRange === null || (ifRange === etag && !etag.startsWith("W/"));
}
