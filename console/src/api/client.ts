/** The one way to the Master: typed calls over `/api/v1`, errors as values of one class. */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type ErrorFacts = Schemas["ErrorAnswer"]["error"];

/** What the Master said, or that it said nothing (`code` is then `not-reachable`, `status` 0). */
export class ApiError extends Error {
  constructor(
    readonly facts: ErrorFacts,
    readonly status: number,
  ) {
    super(facts.message);
    this.name = "ApiError";
  }
  get code(): string {
    return this.facts.code;
  }
  get hint(): string {
    return this.facts.hint ?? "";
  }
}

/** Called when an answer says that nobody is signed in any more. */
let onSignedOut: () => void = () => undefined;
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

export const client = createClient<paths>({
  baseUrl: "",
  headers: { "X-Holdfast-Page": "console" },
  credentials: "same-origin",
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What is answered with this status is not done: it waits for a second person. */
const HELD = 202;
type Approval = Schemas["Approval"];

/** The data of a call, or an `ApiError`. Names the Master's silence as such; a call that waits for a second person counts as not done. */
export async function take<T>(call: Promise<Answer<T | Approval>>): Promise<T> {
  let answer: Answer<T | Approval>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw silence();
  }
  if (answer.response.status === HELD) throw held(answer.data as Approval);
  if (answer.response.ok && answer.data !== undefined) return answer.data as T;
  const failure = new ApiError(factsOf(answer.error, answer.response.status), answer.response.status);
  // Of signing in itself it only means that nobody is let in; the form says so.
  if (failure.status === 401 && !/\/api\/v1\/session(\/directory\/return)?$/.test(answer.response.url)) onSignedOut();
  throw failure;
}

function factsOf(body: unknown, status: number): ErrorFacts {
  const facts = (body as { error?: ErrorFacts } | undefined)?.error;
  if (facts && typeof facts.code === "string") return facts;
  return { code: "internal", message: `the Master answered with status ${status}`, hint: "", retryable: status >= 500, context: {} };
}

function held(approval: Approval): ApiError {
  const facts = {
    code: "approval-wanted",
    message: "This needs the approval of a second person. Nothing is done yet.",
    hint: `Request ${approval.id.slice(0, 8)} waits for a day under Settings, Approvals.`,
    retryable: false,
    context: { approval: approval.id },
  };
  return new ApiError(facts, HELD);
}

function silence(): ApiError {
  const facts = {
    code: "not-reachable",
    message: "The Master does not answer.",
    hint: "Check that it runs and that this computer reaches it.",
    retryable: true,
    context: {},
  };
  return new ApiError(facts, 0);
}

/** As they stand in the record of a job, too. */
function isFacts(value: unknown): value is ErrorFacts {
  const facts = value as Partial<ErrorFacts> | null;
  return typeof facts === "object" && typeof facts?.code === "string" && typeof facts.message === "string";
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (isFacts(error)) return new ApiError(error, 0);
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError({ code: "internal", message, hint: "", retryable: false, context: {} }, 0);
}
