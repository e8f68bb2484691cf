/**
 * What the address brought for signing in: the code of a link of `holdfast console` (behind the #, which never reaches a log), the answer of
 * a provider. It leaves the address bar at once, also where somebody is signed in already, so it is taken before the form has come.
 */
import { takeAnswer } from "./directories";

const code = new URLSearchParams(window.location.hash.slice(1)).get("signin");
if (code) window.history.replaceState(null, "", window.location.pathname + window.location.search);
let brought: { code: string | null; answer: ReturnType<typeof takeAnswer> } = { code, answer: takeAnswer() };

/** It counts once. */
export function takeBrought(): typeof brought {
  const taken = brought;
  brought = { code: null, answer: null };
  return taken;
}
