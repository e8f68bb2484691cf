/** Run a flow, or a part of it, now; say what came of it. */
import { useMutation } from "@tanstack/react-query";
import { type Part, runNow } from "../../../api/trigger";
import { sayDone, sayFailed } from "../../../parts/notices";

export const useTrigger = (flow: string) =>
  useMutation({
    mutationFn: (part: Part) => runNow(flow, part),
    onSuccess: () => sayDone("It runs", "Its jobs tell how far it is."),
    onError: sayFailed,
  });
