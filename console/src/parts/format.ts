/** Figures as people read them. Times are local; UTC goes into titles. Pure. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1536 -> `1.5 KiB`; powers of 1024, as the command line shows them. */
export function formatBytes(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export const formatRate = (bytes: number): string => `${formatBytes(bytes)}/s`;

const COUNTS = new Intl.NumberFormat("en");

export const formatCount = (count: number): string => COUNTS.format(count);

/** `1 point`, `2 points`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** 95 -> `1 min 35 s`; the two largest parts. */
export function formatDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(s / 86_400), "d"],
    [Math.floor(s / 3_600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"],
    [s % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

/** How long before (`3 min ago`) or after (`in 2 h`) now. */
export function formatAgo(time: string | null | undefined, nowMs: number): string {
  if (!time) return "never";
  const seconds = (nowMs - Date.parse(time)) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  const text = formatDuration(Math.abs(seconds)).split(" ").slice(0, 2).join(" ");
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

const LOCAL = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

/** `2026-11-25 14:02:11`, local. */
export const formatTime = (time: string): string => LOCAL.format(new Date(time));

/** The same moment in UTC, for a title. */
export const formatUtc = (time: string): string => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Names and paths as one line: what cannot be seen is shown as a code, so that nothing hides or turns around what stands beside it. */
export function visible(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\uFFFD]/gu, (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`);
}

/** A name as one word of a shell command: what an address brought here must not become a command of its own when it is copied. */
export function shellWord(name: string): string {
  const word = visible(name);
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What the Master says, as a sentence of its own: `no limits` -> `No limits.` */
export const sentence = (text: string): string =>
  text ? `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}` : "";
