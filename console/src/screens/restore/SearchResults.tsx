/** What a search over all time found: versions of files, each with the span in which it was so. */
import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { keys, usePoints } from "../../api/queries";
import { Card } from "../../parts/Card";
import { counted, formatBytes, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import type { Address } from "./address";
import type { Stand } from "./moments";
import { decodedPath, encodedPath, type Row } from "./paths";
import type { Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";
import { distinctVersions, standOf } from "./versions";
import { WasSo } from "./WasSo";

interface SearchResultsProps {
  q: string;
  onRestore: (wish: Wish) => void;
  onShow: (place: Partial<Address>) => void;
}

const MOST = 10_000;

/** People type a part of a name; the API takes patterns. */
function patternOf(q: string): string {
  return /[*?[]/.test(q) ? q : `*${q}*`;
}

export function SearchResults({ q, onRestore, onShow }: SearchResultsProps) {
  const pattern = patternOf(q);
  const points = usePoints();
  const found = useQuery({
    queryKey: [...keys.points, "find", pattern],
    queryFn: ({ signal }) => take(client.GET("/api/v1/find", { params: { query: { pattern, limit: MOST } }, signal })),
  });
  const all = points.data?.points ?? [];
  // One that no point holds stands between points.
  const pointOf = (row: Row): Stand | undefined =>
    row.point
      ? (all.find((point) => point.id === row.point && point.repository === row.repository) ?? all.find((point) => point.id === row.point))
      : standOf(row, all.find((point) => point.dataset === row.dataset)?.paths ?? []);
  if (found.error) return <Problem error={found.error} onRetry={() => void found.refetch()} />;
  const rows = distinctVersions(found.data?.rows ?? []);
  const title = found.isPending
    ? `Searching for ${visible(q)} …`
    : `${counted(rows.length, "version")} found for ${visible(pattern)}`;
  return (
    <>
      <Unreachable rows={found.data?.unreachable} what="What it holds was not searched." />
      <Card title={title} flush>
        <VirtualTable
          label="Versions found"
          rows={rows}
          columns={columns(pointOf, onRestore, onShow)}
          rowKey={keyOf}
          rowHeight={56}
          empty={found.isPending ? "Searching …" : "Nothing has that name, in no point. Try a shorter part of it, or * for any letters."}
        />
        {found.data?.more && (
          <Text size="sm" c="dimmed" p="sm">
            Only the first {MOST.toLocaleString("en")} are shown; a longer name finds fewer.
          </Text>
        )}
      </Card>
    </>
  );
}

const keyOf = (row: Row): string => `${row.dataset}|${encodedPath(row)}|${row.valid_from}|${row.point}`;

type Columns = Column<Row>[];

function columns(pointOf: (row: Row) => Stand | undefined, onRestore: (wish: Wish) => void, onShow: (place: Partial<Address>) => void): Columns {
  return [
    {
      key: "path",
      title: "Name",
      width: "minmax(150px, 3fr)",
      sortBy: (row) => row.path,
      cell: (row) => (
        <span className={classes.moment} title={visible(row.path)}>
          <strong>{visible(row.path.slice(row.path.lastIndexOf("/") + 1))}</strong>
          <span className={classes.sub}>
            {row.dataset} · {visible(row.path)}
          </span>
        </span>
      ),
    },
    {
      key: "from",
      title: "It was so",
      width: "minmax(110px, 1.4fr)",
      sortBy: (row) => row.valid_from ?? "",
      cell: (row) => <WasSo row={row} still="until the newest state" />,
    },
    {
      key: "size",
      title: "Size",
      width: "80px",
      align: "right",
      sortBy: (row) => row.size_bytes,
      cell: (row) => formatBytes(row.size_bytes),
    },
    {
      key: "act",
      title: "",
      width: "minmax(150px, 220px)",
      cell: (row) => <Acts row={row} point={pointOf(row)} onRestore={onRestore} onShow={onShow} />,
    },
  ];
}

interface ActsProps {
  row: Row;
  point: Stand | undefined;
  onRestore: (wish: Wish) => void;
  onShow: (place: Partial<Address>) => void;
}

function Acts({ row, point, onRestore, onShow }: ActsProps) {
  const path = encodedPath(row);
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (!point)
    return (
      <Text size="xs" c="dimmed">
        in no point that can be seen now
      </Text>
    );
  return (
    <Group gap={6} justify="flex-end" wrap="nowrap">
      <Button size="compact-sm" variant="light" onClick={() => onRestore({ point, paths: [path], shown: [decodedPath(path)], roots: point.paths })}>
        Restore …
      </Button>
      <Button size="compact-sm" variant="default" onClick={() => onShow({ dataset: row.dataset, point: point.id, path: folder })}>
        Show folder
      </Button>
    </Group>
  );
}
