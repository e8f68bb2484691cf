/** What changed from the moment that is chosen to another one, folder by folder; and what is gone or was different, to be had back. */
import { Button, Select, Text, UnstyledButton } from "@mantine/core";
import { IconArrowRight, IconFolderOpen, IconFolderQuestion, IconMinus, IconPencil, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { formatTime, shellWord, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { byListings, changeWord, type Difference, factWords, folderOf, sizeWords, totalsSentence } from "./comparing";
import { Crumbs } from "./Crumbs";
import type { Line, Moment } from "./moments";
import { decodedPath, encodedPath, encodeText, nameOf } from "./paths";
import type { Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";

interface CompareProps {
  moment: Moment;
  /** The id of the other one. */
  other: string;
  lines: readonly Line[];
  path: string;
  onOther: (id: string) => void;
  onPath: (path: string) => void;
  onRestore: (wish: Wish) => void;
}

const PAGE_ROWS = 1_000;
const ICONS = {
  added: IconPlus,
  removed: IconMinus,
  changed: IconPencil,
  moved: IconArrowRight,
  inside: IconFolderOpen,
  unknown: IconFolderQuestion,
} as const;

export function Compare({ moment, other, lines, path: asked, onOther, onPath, onRestore }: CompareProps) {
  const { point } = moment;
  const [only, ...more] = point.paths;
  const path = asked || (only !== undefined && more.length === 0 ? encodeText(only) : "");
  const found = useDifferences(moment.id, other, path);
  const first = found.data?.pages[0];
  const rows = found.data?.pages.flatMap((page) => page.rows) ?? [];
  const restore = (row: Difference) => {
    const own = encodedPath(row.before!);
    onRestore({ point, paths: [own], shown: [decodedPath(own)], roots: point.paths });
  };
  const actions = (
    <Button size="xs" variant="default" onClick={() => onOther("")}>
      Back to the folder
    </Button>
  );
  return (
    <Card title={`What changed since ${formatTime(point.time)}`} actions={actions} flush>
      <div className={classes.bar} data-first>
        <Select
          label="Compared with"
          data={choicesOf(lines, moment.id, other)}
          value={other}
          searchable
          limit={200}
          allowDeselect={false}
          onChange={(id) => id !== null && onOther(id)}
          className={classes.other}
        />
        <Text size="sm" aria-live="polite">
          {found.isPending ? "Comparing …" : first && (byListings(found.data?.pages ?? []) || totalsSentence(first.totals))}
        </Text>
      </div>
      <Crumbs roots={point.paths} path={path} onPath={onPath} />
      <div className={classes.inset}>
        <Unreachable rows={first?.unreachable} what="Newer states that it may have are not known." />
        {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
        {first?.lost.map((folder) => (
          <Text key={folder.path} size="sm">
            {visible(folder.path)} cannot be compared: {visible(folder.reason)}
          </Text>
        ))}
      </div>
      {!found.error && (
        <VirtualTable
          label="Differences"
          rows={rows}
          columns={columns(onPath, restore)}
          rowKey={(row) => `${row.change} ${encodedPath(row)}`}
          rowHeight={48}
          maxHeight="min(52vh, 520px)"
          onOpen={(row) => {
            const folder = folderOf(row);
            if (folder !== null) onPath(folder);
          }}
          onEnd={() => found.hasNextPage && !found.isFetching && void found.fetchNextPage()}
          empty={found.isPending ? "Comparing …" : "Nothing differs in this folder."}
        />
      )}
      <div className={classes.bar}>
        <Copyable text={`holdfast diff ${shellWord(moment.id)} ${shellWord(other)}${path ? ` ${shellWord(decodedPath(path))}` : ""}`} what="command" />
      </div>
    </Card>
  );
}

function useDifferences(a: string, b: string, path: string) {
  return useInfiniteQuery({
    queryKey: [...keys.points, "diff", a, b, path],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) =>
      take(client.GET("/api/v1/diff", { params: { query: { a, b, path, limit: PAGE_ROWS, after: pageParam } }, signal })),
    getNextPageParam: (page) => {
      const last = page.rows.at(-1);
      return page.more && last ? encodedPath(last) : undefined;
    },
    staleTime: 60_000,
  });
}

/** All that the list beside the timeline has, newest first; what the address names as well. */
function choicesOf(lines: readonly Line[], own: string, other: string): { value: string; label: string }[] {
  const states = lines.filter((line) => line.kind !== "gap");
  const choices = states.filter((line) => line.id !== own).map((line) => ({
    value: line.id,
    label: `${line === states[0] ? "the newest, " : ""}${formatTime(line.time)}${line.kind === "point" ? `, ${line.operation}` : ", between points"}`,
  }));
  return choices.some((choice) => choice.value === other) ? choices : [{ value: other, label: visible(other) }, ...choices];
}

function columns(onPath: (path: string) => void, onRestore: (row: Difference) => void): Column<Difference>[] {
  return [
    {
      key: "change",
      title: "Change",
      width: "124px",
      sortBy: (row) => row.change,
      cell: (row) => {
        const Icon = ICONS[row.change];
        return (
          <span className={classes.name}>
            <Icon size={16} stroke={1.8} aria-hidden />
            <span>{changeWord(row.change)}</span>
          </span>
        );
      },
    },
    {
      key: "name",
      title: "Name",
      width: "minmax(140px, 2fr)",
      sortBy: (row) => row.path,
      cell: (row) => <Name row={row} onPath={onPath} />,
    },
    { key: "size", title: "Size", width: "minmax(90px, 150px)", align: "right", wide: true, cell: sizeWords, sortBy: (row) => row.after?.size_bytes ?? 0 },
    {
      key: "act",
      title: "",
      width: "104px",
      cell: (row) =>
        row.before &&
        row.change !== "inside" &&
        row.change !== "unknown" && (
          <Button
            size="compact-sm"
            variant="light"
            aria-label={`Restore ${nameOf(row.before.path)} as it was`}
            onClick={(event) => {
              event.stopPropagation();
              onRestore(row);
            }}
          >
            Restore …
          </Button>
        ),
    },
  ];
}

function Name({ row, onPath }: { row: Difference; onPath: (path: string) => void }) {
  const folder = folderOf(row);
  const facts = factWords(row);
  const name = nameOf(row.path);
  return (
    <span className={classes.moment} title={visible(row.path)}>
      {folder === null ? (
        <span>{name}</span>
      ) : (
        <UnstyledButton
          fz="inherit"
          className={classes.crumb}
          onClick={(event) => {
            event.stopPropagation();
            onPath(folder);
          }}
        >
          {name}
        </UnstyledButton>
      )}
      {facts && <span className={classes.sub}>{facts}</span>}
    </span>
  );
}
