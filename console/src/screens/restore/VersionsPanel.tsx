/** Every version of one file, newest first: restore it, or see the folder as it was then. */
import { Button, Drawer, Group, Loader, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { Copyable } from "../../parts/Equivalent";
import { counted, formatBytes, formatTime, shellWord, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { later } from "../../app/later";
import type { Side } from "./download/ContentDialog";
import { DownloadButton } from "./download/DownloadButton";
import type { Stand } from "./moments";
import { decodedPath, encodedPath, nameOf, type Row } from "./paths";
import type { Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";
import { distinctVersions, newestFirst, standOf } from "./versions";
import { WasSo } from "./WasSo";

const ArchivedHere = lazy(later(() => import("./ArchivedHere")));
const ContentDialog = lazy(later(() => import("./download/ContentDialog").then((module) => ({ default: module.ContentDialog }))));

const MOST = 1_000;
/** As dialogs have it. */
const DRAWER = { title: { fontSize: "1.15rem", fontWeight: 650 } };

interface VersionsPanelProps {
  /** Percent-encoded. */
  path: string;
  /** A state of its dataset, for what all of them have in common. */
  point: Stand;
  onClose: () => void;
  onRestore: (wish: Wish) => void;
  onShow: (point: string, path: string) => void;
}

export function VersionsPanel({ path, point, onClose, onRestore, onShow }: VersionsPanelProps) {
  const { dataset } = point;
  const found = useQuery({
    queryKey: [...keys.points, "history", path, dataset],
    queryFn: ({ signal }) => take(client.GET("/api/v1/history", { params: { query: { path, dataset, limit: MOST } }, signal })),
  });
  const rows = newestFirst(distinctVersions(found.data?.rows ?? []));
  const [compared, setCompared] = useState<Row | null>(null);
  const sideOf = (row: Row): Side => ({ point: standOf(row, point.paths).id, path: encodedPath(row), title: formatTime(row.valid_from ?? "") });
  const newest = rows[0];
  const folder = path.slice(0, path.lastIndexOf("/"));
  const restore = (row: Row) => {
    const own = encodedPath(row);
    onRestore({ point: standOf(row, point.paths), paths: [own], shown: [decodedPath(own)], roots: point.paths });
  };
  const show = (row: Row) => {
    onShow(standOf(row, point.paths).id, folder);
    onClose();
  };
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title={`Versions of ${nameOf(decodedPath(path))}`} closeButtonProps={{ "aria-label": "Close" }} styles={DRAWER}>
      <Stack gap="md">
        <Text size="sm" className={classes.landing}>
          {visible(decodedPath(path))}
        </Text>
        {found.isPending && <Loader size="sm" aria-label="Asking the repositories" />}
        {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
        <Unreachable rows={found.data?.unreachable} what="What it holds is missing here." />
        {found.data && (
          <Text size="sm">
            {counted(rows.length, "version")}
            {found.data.more && `; only the newest ${MOST.toLocaleString("en")} are shown`}
          </Text>
        )}
        <Suspense fallback={null}>
          <ArchivedHere dataset={dataset} path={path} />
        </Suspense>
        {rows.length > 0 && (
          <VirtualTable
            label="Versions"
            rows={rows}
            columns={columns({ restore, show, compare: setCompared, newest, roots: point.paths })}
            rowKey={(row) => `${row.valid_from} ${row.mtime_ns} ${row.size_bytes} ${encodedPath(row)}`}
            rowHeight={56}
            maxHeight="62vh"
          />
        )}
        <Copyable text={`holdfast history ${shellWord(decodedPath(path))} --dataset ${shellWord(dataset)}`} what="command" />
        {compared && newest && (
          <Suspense fallback={null}>
            <ContentDialog before={sideOf(compared)} after={sideOf(newest)} onClose={() => setCompared(null)} />
          </Suspense>
        )}
      </Stack>
    </Drawer>
  );
}

interface Acts {
  restore: (row: Row) => void;
  show: (row: Row) => void;
  compare: (row: Row) => void;
  newest: Row | undefined;
  roots: readonly string[];
}

function columns({ restore, show, compare, newest, roots }: Acts): Column<Row>[] {
  return [
    {
      key: "from",
      title: "It was so",
      width: "minmax(120px, 1fr)",
      sortBy: (row) => row.valid_from ?? "",
      cell: (row) => <WasSo row={row} still="until now" />,
    },
    { key: "size", title: "Size", width: "76px", align: "right", sortBy: (row) => row.size_bytes, cell: (row) => formatBytes(row.size_bytes) },
    {
      key: "act",
      title: "",
      width: "minmax(150px, 330px)",
      cell: (row) => (
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <DownloadButton wanted={{ point: standOf(row, roots).id, path: encodedPath(row), format: "file" }} name="this version" />
          {row !== newest && (
            <Button size="compact-sm" variant="default" onClick={() => compare(row)} title="With the newest version">
              Compare
            </Button>
          )}
          <Button size="compact-sm" variant="light" onClick={() => restore(row)}>
            Restore …
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => show(row)}>
            Show folder
          </Button>
        </Group>
      ),
    },
  ];
}
