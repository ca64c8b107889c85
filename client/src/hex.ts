/** Bytes as text: hexadecimal and base64. Pure. */

/** The bytes of hexadecimal text; other characters count as zeros, so only what is ours or was checked comes here. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of base64 text, padded or not; throws on anything else. */
export function fromBase64(text: string): Uint8Array {
  return fromAscii(atob(text));
}

/** The codes of characters below 256. */
export function fromAscii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
