/** Home: one verdict first, then each dataset, then what else is worth knowing. */
import { Button, Loader } from "@mantine/core";
import { IconShieldPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { client, take } from "../../api/client";
import { keys, useStatus } from "../../api/queries";
import { later } from "../../app/later";
import { isOver, useLive } from "../../live/store";
import { ZONE } from "../../parts/clock";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Findings, RepositoryLines, RunningNow } from "./Beside";
import { DatasetTable } from "./DatasetTable";
import { FirstRun } from "./FirstRun";
import { datasetRows, type Status } from "./overview";
import type { Day } from "./strip";
import { Verdict } from "./Verdict";
import { OnlyFor } from "../../parts/OnlyFor";

// Not of the first load (scripts/console-size).
const ProtectDialog = lazy(later(() => import("./ProtectDialog").then((module) => ({ default: module.ProtectDialog }))));
const FollowedCard = lazy(later(() => import("./FollowedCard").then((module) => ({ default: module.FollowedCard }))));
const DrillsCard = lazy(later(() => import("./DrillsCard").then((module) => ({ default: module.DrillsCard }))));
const MasterBackupCard = lazy(later(() => import("./MasterBackupCard").then((module) => ({ default: module.MasterBackupCard }))));
const AnomaliesCard = lazy(later(() => import("./AnomaliesCard").then((module) => ({ default: module.AnomaliesCard }))));
const DAYS = 30;

export default function Home() {
  const status = useStatus();
  const [isProtecting, setProtecting] = useState(false);
  const isFirst = status.data?.datasets === 0;
  return (
    <Page
      title="Home"
      cli="holdfast status"
      api="GET /api/v1/status"
      actions={
        status.data &&
        !isFirst && (
          <OnlyFor activity="environment.change">
            <Button variant="default" leftSection={<IconShieldPlus size={16} aria-hidden />} onClick={() => setProtecting(true)}>
              Protect a folder
            </Button>
          </OnlyFor>
        )
      }
    >
      {status.error && <Problem error={status.error} onRetry={() => void status.refetch()} />}
      {status.isPending && <Loader aria-label="Asking how everything does" />}
      {status.data && <Overview status={status.data} onProtect={() => setProtecting(true)} />}
      <Suspense fallback={null}>{isProtecting && <ProtectDialog onClose={() => setProtecting(false)} />}</Suspense>
    </Page>
  );
}

function Overview({ status, onProtect }: { status: Status; onProtect: () => void }) {
  const busy = useLive((live) => [...live.jobs.values()].filter((job) => !isOver(job)).flatMap((job) => job.datasets));
  const rows = useMemo(() => datasetRows(status.protections, new Set(busy), status.following), [status.protections, busy, status.following]);
  const drills = useMemo(() => status.repositories.flatMap((row) => row.drills.map((drill) => ({ ...drill, repository: row.name }))), [status.repositories]);
  const anomalies = useMemo(() => status.repositories.flatMap((row) => row.anomalies).filter((each) => each.state === "open"), [status.repositories]);
  const days = useDays(rows.length > 0);
  const byLabel = useMemo(() => new Map<string, readonly Day[]>(days.data?.datasets.map((each) => [each.dataset, each.days])), [days.data]);
  return (
    <>
      <Verdict status={status} rows={rows} />
      {anomalies.length > 0 && (
        <Suspense fallback={null}>
          <AnomaliesCard anomalies={anomalies} />
        </Suspense>
      )}
      {status.datasets === 0 && (
        <OnlyFor activity="environment.change">
          <FirstRun onProtect={onProtect} />
        </OnlyFor>
      )}
      <RunningNow />
      {rows.length > 0 && (
        <DatasetTable
          rows={rows}
          days={byLabel}
          problem={days.error && <Problem error={days.error} onRetry={() => void days.refetch()} />}
        />
      )}
      {status.following.length > 0 && (
        <Suspense fallback={null}>
          <FollowedCard rows={status.following} />
        </Suspense>
      )}
      {drills.length > 0 && (
        <Suspense fallback={null}>
          <DrillsCard drills={drills} />
        </Suspense>
      )}
      {rows.length > 0 && (
        <Suspense fallback={null}>
          <MasterBackupCard />
        </Suspense>
      )}
      <Findings findings={status.findings} />
      <RepositoryLines rows={status.repositories} />
    </>
  );
}

function useDays(enabled: boolean) {
  return useQuery({
    queryKey: [...keys.days, DAYS, ZONE],
    queryFn: ({ signal }) => take(client.GET("/api/v1/status/days", { params: { query: { days: DAYS, zone: ZONE } }, signal })),
    enabled,
    refetchInterval: 5 * 60_000,
  });
}
