/** Putting a flow into force. What came of it stays to be read while the page is open, also when one looks elsewhere meanwhile. */
import { skipToken, useMutation, useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../../api/client";
import { keys, queryClient } from "../../../api/queries";
import { sayFailed } from "../../../parts/notices";

export type ActivationReport = Schemas["ActivationReport"];

const keyOf = (flow: string) => ["activation", flow];

export function useActivation(flow: string) {
  const last = useQuery<ActivationReport>({ queryKey: keyOf(flow), queryFn: skipToken, staleTime: Infinity, gcTime: Infinity });
  const activate = useMutation({
    mutationKey: keyOf(flow),
    mutationFn: () => take(client.POST("/api/v1/flows/{flow}/activate", { params: { path: { flow } } })),
    onMutate: () => queryClient.removeQueries({ queryKey: keyOf(flow) }),
    onSuccess: (report) => {
      queryClient.setQueryData(keyOf(flow), report);
      // A node may have left since it was compiled: the report says why it was not activated.
      if (!report.valid) void queryClient.invalidateQueries({ queryKey: keys.compile });
    },
    onError: sayFailed,
  });
  return { report: last.data ?? null, activate: activate.mutateAsync, isRunning: activate.isPending };
}
