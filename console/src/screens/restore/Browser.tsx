/** The folders of one moment. What is ticked is restored; nothing ticked means the folder that is shown. */
import { ActionIcon, Button, Checkbox, Text, UnstyledButton } from "@mantine/core";
import { IconArrowsDiff, IconFile, IconFolder, IconInfoCircle, IconLink, IconQuestionMark, IconVersions } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { Card } from "../../parts/Card";
import { counted, formatBytes, formatTime, visible } from "../../parts/format";
import { Moment as Time } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { Crumbs } from "./Crumbs";
import { ExplainPanel } from "./ExplainPanel";
import type { Moment } from "./moments";
import { decodedPath, encodedPath, encodeText, nameOf, type Row } from "./paths";
import { DownloadButton } from "./download/DownloadButton";
import type { Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";
import { VersionsPanel } from "./VersionsPanel";

interface BrowserProps {
  moment: Moment;
  /** The time that was asked for, where it was not a point. */
  atMs: number | null;
  path: string;
  onPath: (path: string) => void;
  onRestore: (wish: Wish) => void;
  onShow: (point: string, path: string) => void;
  /** null = it is the newest. */
  onCompare: (() => void) | null;
}

const PAGE_ROWS = 2_000;
const ICONS: Record<string, typeof IconFile> = { dir: IconFolder, folder: IconFolder, file: IconFile, symlink: IconLink };
const isFolder = (row: Row): boolean => row.kind === "dir" || row.kind === "folder";

export function Browser({ moment, atMs, path: asked, onPath, onRestore, onShow, onCompare }: BrowserProps) {
  const [only, ...more] = moment.point.paths;
  // One root alone is shown at once; it would be the only thing to click.
  const path = asked || (only !== undefined && more.length === 0 ? encodeText(only) : "");
  const [ticked, setTicked] = useState<ReadonlyMap<string, Row>>(new Map());
  const [explained, setExplained] = useState("");
  const [versions, setVersions] = useState("");
  useEffect(() => setTicked(new Map()), [moment.id]);
  const listing = useListing(moment.id, path);
  const rows = listing.data?.pages.flatMap((page) => page.rows) ?? [];
  const tick = (row: Row) => {
    const next = new Map(ticked);
    const key = encodedPath(row);
    if (!next.delete(key)) next.set(key, row);
    setTicked(next);
  };
  const restore = () => {
    const chosen = [...ticked.keys()];
    const paths = chosen.length > 0 ? chosen : path ? [path] : [];
    onRestore({ point: moment.point, paths, shown: paths.map(decodedPath), roots: moment.point.paths });
  };

  const compare = onCompare && (
    <Button size="xs" variant="default" leftSection={<IconArrowsDiff size={15} aria-hidden />} onClick={onCompare}>
      What changed since
    </Button>
  );

  return (
    <Card title={`Folders as of ${formatTime(atMs === null ? moment.point.time : new Date(atMs).toISOString())}`} actions={compare} flush>
      <Crumbs roots={moment.point.paths} path={path} onPath={onPath} />
      {listing.error ? (
        <div className={classes.bar}>
          <Problem error={listing.error} onRetry={() => void listing.refetch()} />
        </div>
      ) : (
        <VirtualTable
          label="Files and folders"
          rows={rows}
          columns={columns(ticked, { tick, onPath, onExplain: setExplained, onVersions: setVersions }, moment.id)}
          rowKey={encodedPath}
          rowHeight={36}
          maxHeight="min(52vh, 520px)"
          onOpen={(row) => (isFolder(row) ? onPath(encodedPath(row)) : tick(row))}
          onEnd={() => listing.hasNextPage && !listing.isFetching && void listing.fetchNextPage()}
          empty={listing.isPending ? "Loading …" : "This folder is empty."}
        />
      )}
      <div className={classes.bar}>
        <Text size="sm" c="dimmed">
          {ticked.size > 0 ? `${counted(ticked.size, "thing")} chosen` : "Tick what you want back, or take the whole folder."}
        </Text>
        <Button onClick={restore}>
          {ticked.size > 0 ? `Restore ${counted(ticked.size, "thing")} …` : path ? "Restore this folder …" : "Restore everything …"}
        </Button>
      </div>
      {versions && (
        <VersionsPanel path={versions} point={moment.point} onClose={() => setVersions("")} onRestore={onRestore} onShow={onShow} />
      )}
      {explained && (
        <ExplainPanel question={{ path: explained, dataset: moment.point.dataset, at: moment.point.time }} onClose={() => setExplained("")} />
      )}
    </Card>
  );
}

function useListing(point: string, path: string) {
  return useInfiniteQuery({
    queryKey: [...keys.points, "ls", point, path],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) =>
      take(client.GET("/api/v1/ls", { params: { query: { point, path, limit: PAGE_ROWS, after: pageParam } }, signal })),
    getNextPageParam: (page) => {
      const last = page.rows.at(-1);
      return page.more && last ? encodedPath(last) : undefined;
    },
    // What a point holds never changes.
    staleTime: Infinity,
  });
}

const act = (label: string, title: string, Icon: typeof IconFile, onClick: () => void) => (
  <ActionIcon
    variant="subtle"
    color="gray"
    aria-label={label}
    title={title}
    onClick={(event) => {
      event.stopPropagation();
      onClick();
    }}
  >
    <Icon size={17} stroke={1.6} aria-hidden />
  </ActionIcon>
);

interface Acts {
  tick: (row: Row) => void;
  onPath: (path: string) => void;
  onExplain: (path: string) => void;
  onVersions: (path: string) => void;
}

function columns(ticked: ReadonlyMap<string, Row>, { tick, onPath, onExplain, onVersions }: Acts, point: string): Column<Row>[] {
  return [
    {
      key: "tick",
      title: "",
      width: "28px",
      cell: (row) => (
        <span className={classes.check} onClick={(event) => event.stopPropagation()}>
          <Checkbox
            size="sm"
            checked={ticked.has(encodedPath(row))}
            onChange={() => tick(row)}
            aria-label={`Choose ${nameOf(row.path)}`}
          />
        </span>
      ),
    },
    {
      key: "name",
      title: "Name",
      width: "minmax(140px, 3fr)",
      sortBy: (row) => nameOf(row.path),
      cell: (row) => <Name row={row} onPath={onPath} />,
    },
    {
      key: "size",
      title: "Size",
      width: "90px",
      align: "right",
      sortBy: (row) => row.size_bytes,
      cell: (row) => (isFolder(row) ? "" : formatBytes(row.size_bytes)),
    },
    {
      key: "mtime",
      title: "Changed",
      width: "174px",
      wide: true,
      sortBy: (row) => row.mtime_ns,
      cell: (row) => <Time time={new Date(row.mtime_ns / 1e6).toISOString()} />,
    },
    {
      key: "user",
      title: "Owner",
      width: "minmax(0, 70px)",
      wide: true,
      sortBy: (row) => row.user,
      cell: (row) => visible(row.user || String(row.uid)),
    },
    {
      key: "more",
      title: "",
      width: "90px",
      cell: (row) => (
        <>
          <DownloadButton wanted={{ point, path: encodedPath(row), format: isFolder(row) ? "zip" : "auto" }} name={nameOf(row.path)} />
          {!isFolder(row) && act(`Versions of ${nameOf(row.path)}`, "All its versions", IconVersions, () => onVersions(encodedPath(row)))}
          {act(`Why ${nameOf(row.path)} is kept`, "Why it is kept, and where its copies are", IconInfoCircle, () => onExplain(encodedPath(row)))}
        </>
      ),
      align: "right",
    },
  ];
}

function Name({ row, onPath }: { row: Row; onPath: (path: string) => void }) {
  const Icon = ICONS[row.kind] ?? IconQuestionMark;
  const name = nameOf(row.path);
  const content = (
    <span className={classes.name} title={visible(row.path)}>
      <Icon size={17} stroke={1.6} aria-hidden />
      <span>
        {name}
        {row.link_target && ` → ${visible(row.link_target)}`}
      </span>
    </span>
  );
  if (!isFolder(row)) return content;
  return (
    <UnstyledButton
      fz="inherit"
      onClick={(event) => {
        event.stopPropagation();
        onPath(encodedPath(row));
      }}
    >
      {content}
    </UnstyledButton>
  );
}
