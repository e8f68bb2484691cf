/** What a file is, judged by its first bytes: a picture of a format that runs nothing, text, or neither. Pure. */

export type ContentKind = "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "text" | "binary";

export const MOST_TEXT_BYTES = 2 << 20;
export const MOST_IMAGE_BYTES = 20 << 20;

const LOOKED_AT = 8_192;
const SIGNS: readonly (readonly [ContentKind, string])[] = [
  ["image/png", "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", "\xff\xd8\xff"],
  ["image/gif", "GIF87a"],
  ["image/gif", "GIF89a"],
];

/** SVG and HTML are text here: both can hold scripts. */
export function kindOf(bytes: Uint8Array): ContentKind {
  const head = String.fromCharCode(...bytes.subarray(0, LOOKED_AT));
  const found = SIGNS.find(([, sign]) => head.startsWith(sign));
  if (found) return found[0];
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "image/webp";
  return head.includes("\0") ? "binary" : "text";
}
