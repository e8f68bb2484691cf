import { expect, it } from "vitest";
import type { Status, Trouble } from "./overview";
import { silencesOf, silentNodes } from "./silences";

const error = { code: "not-reachable", message: "vault is offline", hint: "start it" } as Status["unreachable"][number]["error"];
const unreachable = [{ node: "vault", repository: "main", error }, { node: "vault", repository: "second", error }];
const finding = { node: "vault", code: "node-silent", severity: "error" as const, message: "m", hint: "start the node", path: "", affected: [], repository: "" };
const trouble = (label: string, silent?: string) => ({ label, ...(silent && { silent }) }) as Trouble;

it("says a silent node once, with all that hangs on it", () => {
  const found = silencesOf({ unreachable, findings: [finding] }, [trouble("files1/documents", "vault"), trouble("files1/mail")]);
  expect(found).toEqual([{ node: "vault", hint: "start the node", datasets: ["files1/documents"], repositories: ["main", "second"] }]);
  expect(silencesOf({ unreachable: [], findings: [] }, [trouble("files1/mail")])).toEqual([]);
});

it("counts those that are online and do not answer all the same", () => {
  const nodes = [{ name: "dr", state: "offline" }, { name: "files1", state: "online" }] as Status["nodes"];
  expect([...silentNodes({ nodes, unreachable, findings: [finding] })]).toEqual(["dr", "vault"]);
});
