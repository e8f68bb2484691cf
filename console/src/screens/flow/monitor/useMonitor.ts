/** How the active flow does. `live/refresh.ts` has it asked anew when events say so. */
import { useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../../api/client";
import { keys } from "../../../api/queries";

export type FlowMonitor = Schemas["FlowMonitor"];
export type VertexMonitor = Schemas["VertexMonitor"];
export type MoverMonitor = Schemas["MoverMonitor"];
export type Protection = Schemas["Protection"];

export const useMonitor = (flow: string) =>
  useQuery({
    queryKey: [...keys.monitor, flow],
    queryFn: ({ signal }) => take(client.GET("/api/v1/flows/{flow}/monitor", { params: { path: { flow } }, signal })),
    // No event tells that a change was delivered.
    refetchInterval: (query) => (query.state.data?.following.length ? 3_000 : 30_000),
  });
