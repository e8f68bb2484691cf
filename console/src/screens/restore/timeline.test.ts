import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addressAt,
  endAround,
  gapsAt,
  gapsOf,
  marksOf,
  panned,
  pickedAt,
  pieceOf,
  SPANS,
  type State,
  stepped,
  type Stop,
  stopsOf,
  ticksOf,
  timeOfAddress,
  usualSpan,
  viewOf,
  zoomed,
} from "./timeline";

const NOW = Date.parse("2026-11-26T12:00:00Z");
const HOUR = 3_600_000;
const stop = (hours: number, kind: Stop["kind"] = "point"): Stop => ({ id: `${kind}-${hours}`, atMs: NOW - hours * HOUR, kind });
const moment = (address: string, time: string, points: string[] = []): State => ({ address, time, seq: 1, files: 1, size_bytes: 1, points });

test("a view ends now, or where it was moved to, and never later than now", () => {
  expect(viewOf("1h", "", NOW)).toEqual({ fromMs: NOW - HOUR, toMs: NOW });
  expect(viewOf("1h", "rubbish", NOW).toMs).toBe(NOW);
  expect(viewOf("1h", "2030-01-01T00:00:00Z", NOW).toMs).toBe(NOW);
  const earlier = panned(viewOf("1h", "", NOW), -1, NOW);
  expect(earlier).toBe("2026-11-26T11:30:00.000Z");
  expect(panned(viewOf("1h", earlier, NOW), 1, NOW)).toBe("");
});

test("zooming keeps what is chosen in the middle", () => {
  const view = viewOf("1d", "", NOW);
  expect(endAround(NOW - 6 * HOUR, "1h", view, NOW)).toBe("2026-11-26T06:30:00.000Z");
  expect(endAround(null, "1h", view, NOW)).toBe("");
  expect(endAround(NOW - 60_000, "1h", view, NOW)).toBe("");
  expect([zoomed("1h", -1), zoomed("5m", -1), zoomed("10y", 1)]).toEqual(["5m", "5m", "10y"]);
});

test("the usual span shows the newest few states", () => {
  expect(usualSpan([], NOW)).toBe("1d");
  expect(usualSpan([stop(1), stop(2), stop(3), stop(9_000)], NOW)).toBe("1d");
  expect(usualSpan([stop(24), stop(48), stop(72)], NOW)).toBe("7d");
  expect(usualSpan([stop(2_000_000)], NOW)).toBe("10y");
});

test("a moment that is a point stands there once", () => {
  const stops = stopsOf([{ id: "p1", time: "2026-11-26T11:00:00Z" }], [
    moment("d@2026-11-26T11:30:00.000000Z", "2026-11-26T11:30:00Z"),
    moment("d@2026-11-26T11:00:00.000000Z", "2026-11-26T11:00:00Z", ["p1"]),
  ]);
  expect(stops.map((each) => each.id)).toEqual(["p1", "d@2026-11-26T11:30:00.000000Z"]);
});

test("a click means the state that is drawn there, else the very moment within the band, else the state before", () => {
  const choice = { dataset: "a/b", stops: [stop(20), stop(3), stop(2.99, "moment")], band: { fromMs: NOW - 10 * HOUR, toMs: NOW } };
  expect(pickedAt(NOW - 3 * HOUR + 60_000, HOUR / 10, choice)).toBe("point-3");
  expect(pickedAt(NOW - 5 * HOUR, HOUR / 10, choice)).toBe("a/b@2026-11-26T07:00:00.000Z");
  expect(pickedAt(NOW - 15 * HOUR, HOUR / 10, choice)).toBe("point-20");
  expect(pickedAt(NOW - 25 * HOUR, HOUR / 10, choice)).toBe("point-20");
  expect(pickedAt(NOW, HOUR, { ...choice, stops: [], band: null })).toBeNull();
});

test("steps go from state to state, and in the band by a hundredth where the next is far", () => {
  const view = viewOf("1d", "", NOW);
  const plain = { dataset: "a/b", stops: [stop(20), stop(3)], band: null };
  expect(stepped(NOW - 3 * HOUR, -1, view, plain)).toBe("point-20");
  expect(stepped(NOW - 3 * HOUR, 1, view, plain)).toBeNull();
  const inBand = { ...plain, band: { fromMs: NOW - 10 * HOUR, toMs: NOW } };
  expect(timeOfAddress(stepped(NOW - 3 * HOUR, -1, view, inBand)!)).toBe(NOW - 3 * HOUR - 864_000);
  expect(stepped(NOW - 10 * HOUR, -1, view, inBand)).toBe("point-20");
});

test("addresses name their time to the millisecond, ids of points none", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), fc.string(), (atMs, dataset) => {
      expect(timeOfAddress(addressAt(dataset, atMs))).toBe(atMs);
    }),
  );
  expect(timeOfAddress("0a1b2c3d")).toBeNull();
  expect(timeOfAddress("a@versions")).toBeNull();
});

test("pieces and marks stay within the view, and short gaps can be seen", () => {
  const view = viewOf("1d", "", NOW);
  expect(pieceOf(NOW - 48 * HOUR, NOW - 30 * HOUR, view)).toBeNull();
  expect(pieceOf(NOW - 48 * HOUR, NOW - 12 * HOUR, view)).toEqual({ left: 0, width: 50 });
  expect(pieceOf(NOW, NOW, view)).toEqual({ left: 99.6, width: 0.4 });
  const crowded = Array.from({ length: 5_000 }, (_, index) => stop(index / 200, "moment"));
  expect(marksOf(crowded, view).length).toBeLessThanOrEqual(402);
  expect(marksOf(crowded, view).reduce((sum, mark) => sum + mark.count, 0)).toBe(4_801);
});

test("every span has a few ticks within it", () => {
  for (const { name } of SPANS) {
    const ticks = ticksOf(viewOf(name, "", NOW));
    expect(ticks.length).toBeGreaterThanOrEqual(3);
    expect(ticks.length).toBeLessThanOrEqual(8);
    for (const tick of ticks) expect(tick.left >= 0 && tick.left <= 100).toBe(true);
  }
});

test("gaps have readable paths, and a time knows those it lies in", () => {
  const gaps = gapsOf([{ path: btoa("/srv/a"), since: "2026-11-26T10:00:00Z", until: "2026-11-26T10:05:00Z", reason: "restart" }]);
  expect(gaps[0]?.path).toBe("/srv/a");
  expect(gapsAt(gaps, Date.parse("2026-11-26T10:05:00Z"))).toHaveLength(1);
  expect(gapsAt(gaps, Date.parse("2026-11-26T10:05:01Z"))).toHaveLength(0);
});
