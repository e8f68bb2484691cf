/** Signing in at the page of a provider: away from here, and back with an answer that this browser alone can bring. */
import { client, type Schemas, take } from "../api/client";

export type Way = Schemas["SignInWay"];
type Answer = Schemas["DirectorySessionReturn"];

const RETURN_PATH = "/sign-in/return";
const PLACE = "holdfast.place";

/** A place of this console: a path, and nothing that a browser could take for another site. */
export function ownPlace(text: string | null): string {
  if (!text || !/^\/(?![/\\])/.test(text) || text.startsWith(RETURN_PATH)) return "/";
  const found = new URL(text, window.location.origin);
  return found.origin === window.location.origin ? found.pathname + found.search + found.hash : "/";
}

/** What the provider sent this browser back with; it leaves the address bar at once, for the place where one was. */
export function takeAnswer(): Answer | null {
  if (window.location.pathname !== RETURN_PATH) return null;
  const query = new URLSearchParams(window.location.search);
  window.history.replaceState(null, "", ownPlace(window.sessionStorage.getItem(PLACE)));
  window.sessionStorage.removeItem(PLACE);
  const state = query.get("state");
  if (!state) return null;
  const error = query.get("error") ?? "";
  return { state, code: query.get("code") ?? "", issuer: query.get("iss") ?? "", error: /^[a-z_]{0,64}$/.test(error) ? error : "unknown" };
}

export async function leaveFor(way: Way): Promise<void> {
  const begun = await take(client.POST("/api/v1/session/directory", { body: { directory: way.name } }));
  window.sessionStorage.setItem(PLACE, window.location.pathname + window.location.search + window.location.hash);
  window.location.assign(begun.url);
}
