/** Following a machine from its token to its rules. Pure. */
import type { Schemas } from "../../api/client";
import type { Node } from "../../live/store";

export type OpenToken = Schemas["OpenToken"];

export type StepState = "done" | "now" | "later";
export interface JoinStep {
  key: "joined" | "authorised" | "online" | "rules";
  title: string;
  text: string;
  state: StepState;
}

/**
 * The node that came with a token: of the token's name, or one that was not there when it was made (`before`: ids).
 * A token that is still open was not used, so nobody came with it.
 */
export function newcomer(nodes: readonly Node[], token: Pick<OpenToken, "name">, before: ReadonlySet<string>, isOpen: boolean): Node | null {
  if (isOpen) return null;
  const fresh = nodes.filter((node) => !before.has(node.id) && node.state !== "revoked");
  return fresh.find((node) => !token.name || node.name === token.name) ?? null;
}

export function joinSteps(node: Node | null, hold: boolean): JoinStep[] {
  const isIn = node !== null && node.state !== "waiting";
  const isOnline = node?.state === "online";
  const hasRules = node !== null && node.wanted_generation > 0;
  const hasNewest = hasRules && node.generation === node.wanted_generation;
  const done = [node !== null, ...(hold ? [isIn] : []), isOnline, isOnline && (!hasRules || hasNewest)];
  const steps: Omit<JoinStep, "state">[] = [
    { key: "joined", title: "Joined", text: node ? `${node.name}, ${node.address || "address not known yet"}` : "Waiting for somebody to run the command there." },
    ...(hold
      ? [{ key: "authorised" as const, title: "Authorised", text: isIn ? "You let it in." : "Compare the key below with what the command printed there, then let it in." }]
      : []),
    { key: "online", title: "Online", text: isOnline ? "It answers." : "It comes online when its agent runs: holdfast node run." },
    {
      key: "rules",
      title: "Rules",
      text: hasNewest ? "It has its rules." : hasRules ? "Its rules are on their way." : "None yet: draw it into a flow, or protect a folder of it.",
    },
  ];
  const current = done.indexOf(false);
  return steps.map((step, index) => ({ ...step, state: done[index] ? "done" : index === current ? "now" : "later" }));
}

/** `12:05` until `expires_at`; null when it has passed. */
export function countdown(expires_at: string, nowMs: number): string | null {
  const seconds = Math.floor((Date.parse(expires_at) - nowMs) / 1000);
  if (seconds <= 0) return null;
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** What is wrong with a node's name; empty when it will do. An empty name leaves the choice to the machine. */
export function nameComplaint(name: string, taken: readonly string[]): string {
  if (!name) return "";
  if (!NAME.test(name)) return "Letters, digits, dots, dashes and underscores; at most 63, the first a letter or digit.";
  return taken.includes(name) ? "A node of this name has joined already." : "";
}
