/** Run a flow, or a part of it, now. */
import { useMutation } from "@tanstack/react-query";
import { client, take } from "../../../api/client";
import { sayDone, sayFailed } from "../../../parts/notices";

export interface Part {
  policy?: string;
  operation?: string;
  /** Lets a source that lost much or was replaced run once. */
  accept?: boolean;
  /** Lets mirrors take over folders that are not empty. */
  adopt?: boolean;
}

export const useTrigger = (flow: string) =>
  useMutation({
    mutationFn: async ({ policy = "", operation = "", accept = false, adopt = false }: Part) => {
      const body = { policy, operation, accept, adopt, first: false };
      return (await take(client.POST("/api/v1/flows/{flow}/trigger", { params: { path: { flow } }, body }))).trigger;
    },
    onSuccess: () => sayDone("It runs", "Its jobs tell how far it is."),
    onError: sayFailed,
  });
