/** Who is told of what: what stands now, the rules in their order, and the channels by which they tell. */
import { Loader, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { asApiError, client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { useMay } from "../../api/rights";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Channels } from "./Channels";
import { tellsNow } from "./notifying";
import { Rules } from "./Rules";
import { TellsNow } from "./TellsNow";

const SOON_MS = 15_000;
/** Nodes are asked for it. */
const NOW_MS = 60_000;
const REFUSED = 403;

export default function Notifications() {
  const view = useQuery({
    queryKey: [...keys.notifications, "view"],
    queryFn: ({ signal }) => take(client.GET("/api/v1/notifications", { signal })),
    refetchInterval: SOON_MS,
  });
  const now = useQuery({
    queryKey: [...keys.notifications, "now"],
    queryFn: ({ signal }) => take(client.GET("/api/v1/notifications/now", { signal })),
    refetchInterval: NOW_MS,
    enabled: view.isSuccess,
  });
  const mayManage = useMay()("notifications.manage", "everything");
  const isRefused = view.error !== null && asApiError(view.error).status === REFUSED;
  return (
    <Page
      title="Notifications"
      lead="Rules are asked in their order. What one chooses it tells to its channels: by mail, chat, pager or web hook."
      cli="holdfast notify ls"
      api="GET /api/v1/notifications"
    >
      {view.error && <Problem error={view.error} {...(!isRefused && { onRetry: () => void view.refetch() })} />}
      {view.isPending && <Loader aria-label="Loading" />}
      {view.data && (
        <Stack>
          <TellsNow now={now} />
          <Rules rules={view.data.rules} channels={view.data.channels} tells={tellsNow(now.data?.notices ?? [])} mayManage={mayManage} />
          <Channels channels={view.data.channels} rules={view.data.rules} mayManage={mayManage} />
        </Stack>
      )}
    </Page>
  );
}
