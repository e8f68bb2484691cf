import { expect, test } from "vitest";
import { applyEdits, valueAt } from "../../draft/edits";
import { drawingOf } from "../flow/drawing";
import { isFolder, nameOfFolder, protect } from "./template";

const answers = { node: "laptop", folder: "/home/anna/My Documents", mirror: null, every: "1h" };

test("a computer is protected by one edit, all of it named", () => {
  const made = protect({}, { ...answers, repository: { node: "vault", location: "/srv/holdfast/main" } });
  const values = applyEdits({}, made.edits);
  expect(made.flow).toBe("my-documents");
  expect(Object.keys(values.nodes ?? {})).toEqual(["laptop", "vault"]);
  expect(valueAt(values, ["repositories", "main"])).toEqual({ node: "vault", location: "/srv/holdfast/main" });
  const drawing = drawingOf(values, made.flow);
  expect(drawing.vertices.map((vertex) => vertex.about)).toEqual(["laptop", "main on vault"]);
  expect(drawing.movers.map((mover) => mover.carries)).toEqual([["my-documents/backup"]]);
});

test("what is there is used and never replaced", () => {
  const before = { nodes: { laptop: { tags: ["x"] } }, repositories: { main: {} }, policies: { "my-documents": {} }, flows: { "my-documents": {} } };
  const made = protect(before, { ...answers, repository: "main", mirror: { node: "laptop", path: "/srv/copy" } });
  const values = applyEdits(before, made.edits);
  expect([made.flow, made.policy]).toEqual(["my-documents-2", "my-documents-2"]);
  expect(values.nodes).toEqual(before.nodes);
  expect(values.repositories).toEqual(before.repositories);
  expect(drawingOf(values, made.flow).vertices).toHaveLength(3);
});

test("names come from any folder", () => {
  expect(["/srv/docs/", "/", "/srv/…", "/srv/.config", "/a/UPPER case!"].map(nameOfFolder)).toEqual(["docs", "data", "data", "config", "upper-case"]);
});

test("only whole paths are folders", () => {
  expect(["/srv", "srv", "/", "//", "/srv/../etc", ""].map(isFolder)).toEqual([true, false, false, false, false, false]);
});
