import { expect, test } from "vitest";
import { type Followed, followState, gapSentence, lagSeconds, linkWords, meansWords, shortfallSentences, spooledSentences, summaryWords, waitingWords, worstFirst } from "./following";

const NOW = Date.parse("2026-11-26T12:00:00Z");

const row = (more: Partial<Followed> = {}): Followed => ({
  node: "files1",
  dataset: "files1/docs",
  dataset_id: "d1",
  state: "following",
  pending: 0,
  pending_since: null,
  means: ["fanotify"],
  shortfalls: [],
  gaps: [],
  open_gap_since: null,
  error: null,
  waits_until: null,
  pending_bytes: 0,
  spooled: [],
  ...more,
});

test("what is well is said to be delivered, what waits with how many and how long", () => {
  expect(waitingWords(row(), NOW)).toBe("everything is delivered");
  const waits = row({ pending: 1_200, pending_since: "2026-11-26T11:58:30Z" });
  expect(lagSeconds(waits, NOW)).toBe(90);
  expect(waitingWords(waits, NOW)).toBe("1,200 changes on the way, the oldest for 1 min 30 s");
  expect(waitingWords(row({ state: "waiting" }), NOW)).toBe("");
});

test("what waits in a spool is said for each receiver", () => {
  const spooled = [{ receiver: "vault", runs: 12, size_bytes: 3_145_728, since: "2026-11-26T11:58:30Z", error: null, falls_behind: false }];
  expect(spooledSentences(row({ spooled }), NOW)).toEqual(["12 commits (3.0 MiB, the oldest 1 min 30 s old) wait in the spool for vault."]);
  const [slow] = spooledSentences(row({ spooled: spooled.map((each) => ({ ...each, falls_behind: true })) }), NOW);
  expect(slow).toMatch(/in the spool for vault, and it becomes more\.$/);
  expect(spooledSentences(row(), NOW)).toEqual([]);
});

test("a clock that is ahead makes no lag below zero", () => {
  expect(lagSeconds(row({ pending_since: "2026-11-26T12:00:30Z" }), NOW)).toBe(0);
});

test("the worst comes first and is what a line says", () => {
  const rows = [row({ dataset: "a" }), row({ dataset: "b", state: "waiting", pending: 2 }), row({ dataset: "c", state: "starting" })];
  expect(worstFirst(rows).map((each) => each.dataset)).toEqual(["b", "c", "a"]);
  expect(linkWords(rows, NOW)).toBe("waiting, 2 changes");
  expect(linkWords([row()], NOW)).toBe("nothing waits");
  expect(linkWords([row({ pending: 1, pending_since: "2026-11-26T11:59:56Z" })], NOW)).toBe("1 change, 4 s behind");
  expect(linkWords([], NOW)).toBe("");
});

test("an open gap is a warning whatever else is well", () => {
  expect(followState(row({ open_gap_since: "2026-11-26T11:00:00Z" }))).toEqual({ state: "warning", word: "in a gap" });
  expect(followState(row())).toEqual({ state: "ok", word: "following" });
});

test("all of them in one sentence", () => {
  expect(summaryWords([row()])).toBe("1 dataset is followed; everything is delivered.");
  expect(summaryWords([row({ state: "not-watched" }), row({ pending: 3 })])).toBe("2 datasets are followed: 1 needs a look, 3 changes on the way.");
});

test("a gap says when, how long, where and why", () => {
  const gap = { path: "/srv/\u202Ea", since: "2026-11-26T11:00:00Z", until: "2026-11-26T11:00:00.2Z", reason: "restart" } as const;
  expect(gapSentence(gap)).toMatch(/^From 2026-11-26 \d\d:\d\d:00, for 1 s, changes below \/srv\/\\u\{202e\}a may have gone unseen: nobody watched/);
  expect(gapSentence({ ...gap, reason: "source-vanished" })).toMatch(/was kept by nobody: the source looked as if it was gone, and was refused\.$/);
  expect(gapSentence({ ...gap, reason: "late" })).toMatch(/may have gone unseen: the node was busy with something else/);
  expect(gapSentence({ ...gap, reason: "scan" })).toMatch(/may be later than asked: all of it was looked at meanwhile/);
});

test("means and shortfalls are words; what is not known is shown as it is", () => {
  expect(meansWords(["fanotify", "other"])).toBe("fanotify, for the whole file system and other");
  expect(shortfallSentences(["who-is-not-known", "changes-by-other-machines", "new-one"])).toEqual([
    "Changes that other machines make there are not seen: have a backup, which looks at everything.",
    "New-one.",
  ]);
});
