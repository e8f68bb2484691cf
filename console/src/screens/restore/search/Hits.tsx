/** What a search over all time found: each file once, deleted ones too. Enter opens its versions. */
import { Button, Group } from "@mantine/core";
import { usePoints } from "../../../api/queries";
import { Card } from "../../../parts/Card";
import { counted, formatBytes, visible } from "../../../parts/format";
import { Moment as Time } from "../../../parts/Moment";
import { Problem } from "../../../parts/Problem";
import { Unreachable } from "../../../parts/Unreachable";
import { type Column, VirtualTable } from "../../../parts/VirtualTable";
import type { Address } from "../address";
import type { Stand } from "../moments";
import { decodedPath, encodedPath, nameOf } from "../paths";
import type { Wish } from "../RestoreDialog";
import classes from "../Restore.module.css";
import { standOf } from "../versions";
import { VersionsPanel } from "../VersionsPanel";
import type { Filters, Found } from "./asking";
import { useHits } from "./useHits";

interface HitsProps {
  q: string;
  filters: Filters;
  /** The key of the file whose versions are shown; empty = none. */
  opened: string;
  onOpen: (key: string) => void;
  onRestore: (wish: Wish) => void;
  onShow: (place: Partial<Address>) => void;
}

export const HITS_LABEL = "Files found";

export function Hits({ q, filters, opened, onOpen, onRestore, onShow }: HitsProps) {
  const hits = useHits(q, filters);
  const points = usePoints().data?.points ?? [];
  const rootsOf = (dataset: string): readonly string[] => points.find((point) => point.dataset === dataset)?.paths ?? [];
  const restore = ({ hit }: Found) => {
    const path = encodedPath(hit);
    const point = standOf(hit, rootsOf(hit.dataset));
    onRestore({ point, paths: [path], shown: [decodedPath(path)], roots: point.paths });
  };
  const show = ({ hit }: Found) => {
    const path = encodedPath(hit);
    onShow({ dataset: hit.dataset, point: standOf(hit, []).id, path: path.slice(0, path.lastIndexOf("/")) });
  };
  if (hits.error && hits.found.length === 0) return <Problem error={hits.error} onRetry={() => void hits.refetch()} />;
  return (
    <>
      <Unreachable rows={hits.silent} what="What it holds was not searched." />
      <Card title={titleOf(hits.found.length, hits.hasNextPage, hits.isFetching)} flush>
        <VirtualTable
          label={HITS_LABEL}
          rows={hits.found}
          columns={columns({ restore, show, open: (found) => onOpen(found.key) })}
          rowKey={(found) => found.key}
          rowHeight={56}
          onOpen={(found) => onOpen(found.key)}
          onEnd={() => hits.hasNextPage && !hits.isFetching && void hits.fetchNextPage()}
          empty={hits.isFetching ? "Searching …" : "Nothing fits, in no point. Try a shorter part of the name, * for any letters, or take a filter away."}
        />
      </Card>
      {opened && <Versions opened={opened} rootsOf={rootsOf} onClose={() => onOpen("")} onRestore={onRestore} onShow={onShow} />}
    </>
  );
}

function titleOf(count: number, hasMore: boolean, isFetching: boolean): string {
  if (count === 0) return isFetching || hasMore ? "Searching …" : "Nothing found";
  return `${counted(count, "file")} found${hasMore ? isFetching ? ", searching on …" : ", and more below" : ""}`;
}

interface VersionsProps {
  opened: string;
  rootsOf: (dataset: string) => readonly string[];
  onClose: () => void;
  onRestore: (wish: Wish) => void;
  onShow: (place: Partial<Address>) => void;
}

function Versions({ opened, rootsOf, onClose, onRestore, onShow }: VersionsProps) {
  const end = opened.indexOf(":");
  const dataset = opened.slice(end + 1);
  const point: Stand = { id: "", dataset, time: "", paths: rootsOf(dataset) };
  return (
    <VersionsPanel
      path={opened.slice(0, end)}
      point={point}
      onClose={onClose}
      onRestore={onRestore}
      onShow={(id, path) => onShow({ dataset, point: id, path })}
    />
  );
}

interface Acts {
  restore: (found: Found) => void;
  show: (found: Found) => void;
  open: (found: Found) => void;
}

function columns({ restore, show, open }: Acts): Column<Found>[] {
  return [
    {
      key: "path",
      title: "Name",
      width: "minmax(150px, 3fr)",
      cell: ({ hit, repositories }) => (
        <span className={classes.moment} title={visible(hit.path)}>
          <strong>{nameOf(hit.path)}</strong>
          <span className={classes.sub}>
            {hit.dataset} · {visible(hit.path)} · in {repositories.join(", ")}
          </span>
        </span>
      ),
    },
    {
      key: "state",
      title: "Last seen",
      width: "minmax(110px, 1.3fr)",
      cell: ({ hit }) => (
        <span className={classes.moment}>
          <span>{hit.exists ? "still there" : "deleted"}</span>
          <span className={classes.sub}>
            <Time time={hit.seen_at} /> · {counted(hit.versions, "version")}
          </span>
        </span>
      ),
    },
    { key: "size", title: "Size", width: "80px", align: "right", cell: ({ hit }) => (hit.kind === "dir" ? "" : formatBytes(hit.size_bytes)) },
    {
      key: "act",
      title: "",
      width: "minmax(284px, 300px)",
      cell: (found) => (
        <Group gap={6} justify="flex-end" wrap="nowrap" onClick={(event) => event.stopPropagation()}>
          <Button size="compact-sm" variant="light" onClick={() => restore(found)}>
            Restore …
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => open(found)}>
            Versions
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => show(found)}>
            Show folder
          </Button>
        </Group>
      ),
    },
  ];
}
