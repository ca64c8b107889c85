/** Bytes as text: hexadecimal and base64. Pure. */

/** The bytes of lower-case hexadecimal text; of any other text, none. */
export function fromHex(text: string): Uint8Array {
  return /^([\da-f]{2})*$/.test(text) ? Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)) : new Uint8Array();
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of base64 or base64url text, padded or not; throws on anything else. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}
