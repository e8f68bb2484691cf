import { expect, it } from "vitest";
import { complaints } from "./protecting";

const wish = { node: "files1", path: "/home/ann", location: "/mnt/disk/holdfast", every: "1h", cdp: "" };

it("takes whole paths and a node", () => {
  expect(complaints(wish)).toEqual({});
  expect(Object.keys(complaints({ ...wish, node: "", path: "ann", location: "disk" }))).toEqual(["node", "path", "location"]);
});

it("does not store a folder in itself", () => {
  expect(complaints({ ...wish, location: "/home/ann/backup" }).location).toMatch(/itself/);
  expect(complaints({ ...wish, location: "/home/ann/" }).location).toMatch(/itself/);
  expect(complaints({ ...wish, location: "/home/anna" })).toEqual({});
});
