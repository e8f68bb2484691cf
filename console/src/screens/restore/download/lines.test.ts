import { describe, expect, it } from "vitest";
import { compareLines } from "./lines";
import { kindOf } from "./content";

const shown = (before: string, after: string) => compareLines(before, after).map((line) => `${{ same: " ", removed: "-", added: "+" }[line.kind]}${line.text}`);

describe("two texts", () => {
  it("differ in the fewest lines", () => {
    expect(shown("a\nb\nc\n", "a\nx\nc\n")).toEqual([" a", "-b", "+x", " c"]);
    expect(shown("", "a\n")).toEqual(["+a"]);
    expect(shown("a\n", "")).toEqual(["-a"]);
    expect(shown("a\nb\n", "a\nb\n")).toEqual([" a", " b"]);
    expect(shown("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc").filter((line) => !line.startsWith(" "))).toHaveLength(5);
  });

  it("give back both, whatever they are", () => {
    let seed = 7;
    const next = () => (seed = (seed * 48_271) % 2_147_483_647) % 4;
    for (let round = 0; round < 200; round++) {
      const [a, b] = [Array.from({ length: next() * 4 }, next).join("\n"), Array.from({ length: next() * 4 }, next).join("\n")];
      const lines = compareLines(a, b);
      expect(lines.filter((line) => line.kind !== "added").map((line) => line.text).join("\n")).toBe(a);
      expect(lines.filter((line) => line.kind !== "removed").map((line) => line.text).join("\n")).toBe(b);
    }
  });

  it("that have nothing in common end soon", () => {
    const many = (sign: string) => Array.from({ length: 20_000 }, (_, n) => `${sign}${n}`).join("\n");
    expect(compareLines(many("a"), many("b"))).toHaveLength(40_000);
  });
});

describe("content", () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  it("is a picture by its first bytes alone, and never a page", () => {
    expect(kindOf(bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a))).toBe("image/png");
    expect(kindOf(bytes(0xff, 0xd8, 0xff, 0xe0))).toBe("image/jpeg");
    expect(kindOf(new TextEncoder().encode("GIF89a…"))).toBe("image/gif");
    expect(kindOf(new TextEncoder().encode("RIFF1234WEBPVP8 "))).toBe("image/webp");
    expect(kindOf(new TextEncoder().encode("<svg onload='alert(1)'/>"))).toBe("text");
    expect(kindOf(new TextEncoder().encode("<html><script>"))).toBe("text");
    expect(kindOf(bytes(1, 2, 0, 3))).toBe("binary");
  });
});
