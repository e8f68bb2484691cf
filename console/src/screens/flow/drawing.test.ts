import fc from "fast-check";
import { expect, test } from "vitest";
import { applyEdits, type Edit, mappingAt, type Values, valueAt } from "../../draft/edits";
import { addVertex, connect, nameProblem, placeVertices, removeThings, renameVertex, tidy, toggle } from "./changes";
import { available, fitting, obvious, whyNot } from "./connecting";
import { drawingOf, membersOf } from "./drawing";
import { heightOf, placesOf } from "./layout";
import { marksOf, moverThing, vertexThing } from "./things";

const values: Values = {
  nodes: { files1: { tags: ["web"] }, web2: { tags: ["web"] }, vault: {} },
  groups: { web: { tags: ["web"] } },
  repositories: { main: { node: "vault", location: "/srv/main" }, cloud: { node: "vault", location: "s3://bucket/x" } },
  policies: { docs: { operations: { backup: {}, replicate: {}, nightly: { operation: "backup" }, track: {} } } },
  flows: {
    office: {
      vertices: {
        files: { node: "files1", policies: ["docs"] },
        store: { repository: "main" },
        far: { repository: "cloud" },
        copy: { mirror: "vault", path: "/srv/copy" },
        gate: { relay: "vault" },
      },
      movers: [{ from: "files", to: "store", carries: ["docs/backup"] }],
    },
  },
};
const office = drawingOf(values, "office");
const after = (edits: readonly Edit[], from = values) => drawingOf(applyEdits(from, edits), "office");

test("vertices say what they stand for", () => {
  expect(office.vertices.map((vertex) => vertex.about)).toEqual(["files1", "main on vault", "cloud on vault", "on vault, /srv/copy", "through vault"]);
  expect(office.vertices.map((vertex) => vertex.isRemote)).toEqual([false, false, true, false, false]);
  expect(membersOf(values, "web")).toEqual(["files1", "web2"]);
});

test("two movers between the same ends have two names", () => {
  const twice = applyEdits(values, [{ op: "set", path: ["flows", "office", "movers", 1], value: { from: "files", to: "store" } }]);
  expect(drawingOf(twice, "office").movers.map(moverThing)).toEqual(["mover:files->store", "mover:files->store#2"]);
});

test("what can be connected is what the compiler takes", () => {
  expect(whyNot(office, "files", "copy")).toBeNull();
  expect(whyNot(office, "store", "far")).toBeNull();
  expect(whyNot(office, "store", "copy")).toBeNull();
  expect(whyNot(office, "files", "store")).toMatch(/already/);
  expect(whyNot(office, "copy", "far")).toMatch(/mirror/);
  expect(whyNot(office, "store", "files")).toMatch(/source/);
  const chain = after(connect(values, office, "store", "far").edits);
  expect(whyNot(chain, "far", "store")).toMatch(/circle/);
});

test("only what is there and fits the other end can be carried", () => {
  expect(available(values, office, "files")).toEqual(["docs/backup", "docs/replicate", "docs/nightly"]);
  expect(fitting(values, office, "files", "copy")).toEqual(["docs/replicate"]);
  expect(fitting(values, office, "files", "gate")).toEqual(["docs/backup", "docs/replicate", "docs/nightly"]);
  expect(fitting(values, office, "store", "far")).toEqual(["docs/backup"]);
  expect(fitting(values, office, "store", "copy")).toEqual(["docs/replicate"]);
  expect(fitting(values, office, "gate", "far")).toEqual([]);
});

test("a new mover carries what does not leave its start yet", () => {
  expect(obvious(values, office, "files", "far")).toEqual(["docs/nightly"]);
  expect(connect(values, office, "store", "far").carries).toEqual(["docs/backup"]);
});

test("a new vertex has a name of its own, and a joined node comes into the document", () => {
  const change = addVertex(values, office, { kind: "node", subject: "laptop" }, [20, 40]);
  const done = applyEdits(values, change.edits);
  expect(change.name).toBe("laptop");
  expect(mappingAt(done, ["nodes", "laptop"])).toEqual({});
  expect(valueAt(done, ["flows", "office", "vertices", "laptop"])).toEqual({ node: "laptop", policies: ["docs"], place: [20, 40] });
  expect(addVertex(values, office, { kind: "repository", subject: "" }, null).name).toBe("store-2");
});

test("a vault comes with a mover that it dials", () => {
  const change = addVertex(values, office, { kind: "repository", subject: "", template: "vault" }, null);
  const done = after(change.edits);
  expect(done.vertices.map((vertex) => vertex.name)).toContain("vault");
  expect(done.movers.at(-1)).toMatchObject({ from: "store", to: "vault", carries: ["docs/backup"], fields: { dial: "to" } });
});

test("renaming keeps every mover and every place in the list", () => {
  const done = after(renameVertex(office, "store", "vault-store").edits);
  expect(done.movers.map((mover) => mover.to)).toEqual(["vault-store"]);
  expect(done.vertices.map((vertex) => vertex.name)).toEqual(["files", "vault-store", "far", "copy", "gate"]);
});

test("removing a vertex takes its movers with it, never another's", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })), { maxLength: 12 }), fc.nat(4), (ends, gone) => {
      const names = office.vertices.map((vertex) => vertex.name);
      const movers = ends.map(([from, to]) => ({ from: names[from]!, to: names[to]! }));
      const before = applyEdits(values, [{ op: "set", path: ["flows", "office", "movers"], value: movers }]);
      const done = after(removeThings(drawingOf(before, "office"), [vertexThing(names[gone]!)]).edits, before);
      const left = movers.filter((mover) => mover.from !== names[gone] && mover.to !== names[gone]);
      expect(done.movers.map(({ from, to }) => ({ from, to }))).toEqual(left);
      expect(done.vertices).toHaveLength(4);
    }),
  );
});

test("places: as put by hand, else tidy and apart; moving one leaves the others", () => {
  const places = placesOf(office);
  expect(placesOf(office)).toEqual(places);
  const moved = after(placeVertices(office, ["far"], new Map([...places, ["far", [900, 10]]])).edits);
  expect(placesOf(moved)).toEqual(new Map([...places, ["far", [900, 10]]]));
  expect(placesOf(after(tidy(moved).edits, applyEdits(values, placeVertices(office, ["far"], places).edits)))).toEqual(places);
});

test("no two vertices stand on each other", () => {
  const place = fc.option(fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: -500, max: 500 })), { freq: 3 });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 12 }), (given) => {
      const vertices = Object.fromEntries(given.map((at, index): [string, Values] => [`v${index}`, at ? { node: "a", place: at } : { node: "a" }]));
      const drawing = drawingOf({ flows: { office: { vertices } } }, "office");
      const places = placesOf(drawing);
      for (const one of drawing.vertices.filter((vertex) => vertex.place === null))
        for (const other of drawing.vertices) {
          const [a, b] = [places.get(one.name)!, places.get(other.name)!];
          if (one !== other) expect(Math.abs(a[0] - b[0]) >= 190 || Math.abs(a[1] - b[1]) >= heightOf(one)).toBe(true);
        }
    }),
    { numRuns: 40 },
  );
});

test("problems stand at the things they concern", () => {
  const where = { flow: "office", line: 1, column: 1 };
  const problem = (kind: string, name: string, path = "") => ({ code: "x", level: "error" as const, message: kind, hint: "", fixes: [], where: { ...where, kind, name, path } });
  const marks = marksOf(office, [
    problem("vertex", "copy"),
    problem("mover", "files->store", "flows.office.movers[0].carries[0]"),
    { ...problem("operation", "docs/nightly"), where: { ...where, flow: "", kind: "operation", name: "docs/nightly", path: "" } },
    { ...problem("vertex", "copy"), where: { ...where, flow: "other", kind: "vertex", name: "copy", path: "" } },
  ]);
  expect([...marks.keys()].sort()).toEqual(["mover:files->store", "vertex:copy", "vertex:files"]);
  expect(marks.get("vertex:copy")).toHaveLength(1);
});

test("lists grow at their end and shrink where the item was", () => {
  expect(toggle(["a", "b"], ["x"], "c", "").edits).toEqual([{ op: "set", path: ["x", 2], value: "c" }]);
  expect(toggle(["a", "b"], ["x"], "a", "").edits).toEqual([{ op: "remove", path: ["x", 0] }]);
});

test("names are checked as the compiler does", () => {
  expect(nameProblem("files-2", ["files"])).toBeNull();
  expect(nameProblem("files", ["files"])).not.toBeNull();
  expect(nameProblem("a b", [])).not.toBeNull();
  expect(nameProblem("", [])).not.toBeNull();
});
