/** Something is done, said, and what is shown is read anew. */
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
