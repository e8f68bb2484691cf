/** Something is done, said, and what is shown is read anew. */
import { useState } from "react";
import { queryClient } from "../api/queries";
import { sayDone, sayFailed } from "./notices";

export async function act(what: () => Promise<unknown>, done: string, ...stale: readonly (readonly string[])[]): Promise<boolean> {
  try {
    await what();
    sayDone(done);
    return true;
  } catch (error) {
    sayFailed(error);
    return false;
  } finally {
    for (const key of stale) void queryClient.invalidateQueries({ queryKey: key });
  }
}

/** For what takes a while: `busy` until it is over. What went wrong is said in the corner. */
export function useBusy(): { busy: boolean; attempt: (what: () => Promise<unknown>) => Promise<void> } {
  const { busy, tried } = useTried();
  return { busy, attempt: (what) => tried(what, sayFailed) };
}

/** The same where what went wrong is shown in its place: `error`, until the next try or until it is forgotten. */
export function useTrying(): { busy: boolean; error: unknown; attempt: (what: () => Promise<unknown>) => Promise<void>; forget: () => void } {
  const { busy, tried } = useTried();
  const [error, setError] = useState<unknown>(null);
  const forget = () => setError(null);
  const attempt = (what: () => Promise<unknown>) => {
    forget();
    return tried(what, setError);
  };
  return { busy, error, attempt, forget };
}

function useTried() {
  const [busy, setBusy] = useState(false);
  const tried = async (what: () => Promise<unknown>, onError: (failure: unknown) => void) => {
    setBusy(true);
    try {
      await what();
    } catch (failure) {
      onError(failure);
    } finally {
      setBusy(false);
    }
  };
  return { busy, tried };
}
