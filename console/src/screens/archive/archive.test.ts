import { expect, test } from "vitest";
import { type ArchivedDataset, type ArchivedFile, askedPath, folderOf, freedBy, holdsOf, keptFor, recallCommand, recalledThing } from "./archive";

const file = (path: string, more: Partial<ArchivedFile> = {}): ArchivedFile => ({
  path,
  path_raw: "",
  archived_at: "2026-01-02T03:04:05Z",
  modified_at: "2024-01-02T03:04:05Z",
  size_bytes: 10,
  dataset: "files1/documents",
  repository: "main",
  until: null,
  holds: [],
  ...more,
});

const row = (repository: string, holds: ArchivedDataset["holds"]): ArchivedDataset => ({
  dataset: "files1/documents",
  dataset_id: "d1",
  repository,
  files: 3,
  size_bytes: 30,
  operation: "archive",
  why: "older than 365d",
  keep_s: 7 * 86_400,
  holds,
});

test("the folder that all versions lie in", () => {
  expect(folderOf([])).toBe("");
  expect(folderOf([file("/srv/a/one")])).toBe("/srv/a");
  expect(folderOf([file("/srv/a/one"), file("/srv/a/b/two"), file("/srv/a/b/three")])).toBe("/srv/a");
  expect(folderOf([file("/srv/a/b/two"), file("/srv/a/one")])).toBe("/srv/a");
  expect(folderOf([file("/srv/ab/one"), file("/srv/a/two")])).toBe("/srv");
  expect(folderOf([file("/srv/one"), file("/etc/two")])).toBe("/");
  expect(folderOf([file("/srv/a ü/one")])).toBe("/srv/a%20%C3%BC");
});

test("a name that is no Unicode keeps its bytes", () => {
  expect(folderOf([file("/s/odd\\xff/one", { path_raw: btoa("/s/odd\xff/one") })])).toBe("/s/odd%FF");
});

test("a hold that several repositories have is one line, the oldest first", () => {
  const early = { name: "case 7", since: "2026-01-01T00:00:00Z", path: "/srv", path_raw: "" };
  const late = { name: "audit", since: "2026-02-01T00:00:00Z", path: "/", path_raw: "" };
  expect(holdsOf([row("main", [late, { ...early, since: "2026-01-05T00:00:00Z" }]), row("far", [early])])).toEqual([
    { name: "case 7", since: early.since, path: "/srv", repositories: ["far", "main"] },
    { name: "audit", since: late.since, path: "/", repositories: ["main"] },
  ]);
});

test("what a hold alone keeps is what its release lets go", () => {
  const past = "2026-01-01T00:00:00Z";
  const files = [
    file("/a", { until: past, holds: ["case 7"] }),
    file("/b", { until: past, holds: ["audit", "case 7"] }),
    file("/c", { until: "2030-01-01T00:00:00Z", holds: ["case 7"] }),
    file("/d", { until: null, holds: ["case 7"] }),
    file("/e", { until: past }),
  ];
  expect(freedBy("case 7", files, Date.parse("2026-06-01T00:00:00Z")).map(({ path }) => path)).toEqual(["/a"]);
});

test("how long it is kept, in words", () => {
  expect(keptFor(row("main", []))).toBe("7 d");
  expect(keptFor({ operation: "archive", keep_s: null })).toBe("for ever");
  expect(keptFor({ operation: "", keep_s: null })).toBe("for ever: no rule archives it any more");
});

test("the command that recalls the same", () => {
  const some = { node: "files1", recursive: false };
  expect(recallCommand({ ...some, paths: ["/srv/a%20b"] })).toBe("holdfast recall '/srv/a b' --node files1");
  expect(recallCommand({ node: "files1", recursive: true, paths: ["/srv"] })).toBe("holdfast recall /srv --recursive --node files1");
  expect(recallCommand({ ...some, paths: ["/1", "/2", "/3", "/4"] })).toBe("holdfast recall /1 /2 /3 … --node files1");
  expect(recalledThing({ ...some, paths: ["/1", "/2"] })).toBe("2 files");
  expect(recalledThing({ node: "files1", recursive: true, paths: ["/srv"] })).toBe("everything below /srv");
});

test("a path that somebody types is sent as bytes", () => {
  expect(askedPath("")).toBe("/");
  expect(askedPath("/srv/a%b")).toBe("/srv/a%25b");
});
