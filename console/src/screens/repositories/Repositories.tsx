/** All repositories: where they lie, what they hold, what they save, and when they were last proven restorable. */
import { Loader, Text, TextInput } from "@mantine/core";
import { IconDatabase, IconSearch } from "@tabler/icons-react";
import { Link, useLocation } from "wouter";
import { useRepositories } from "../../api/queries";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { useNow } from "../../parts/clock";
import { counted, formatBytes, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { Unreachable } from "../../parts/Unreachable";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { proofOf, type Repository, roomOf, savings } from "./figures";
import classes from "./Repositories.module.css";

const NAMES = ["text"] as const;
const MANY = 8;

export default function Repositories() {
  const found = useRepositories();
  const [, go] = useLocation();
  const [{ text }, put] = useFilters(NAMES);
  const all = found.data?.repositories ?? [];
  const rows = all.filter((row) => `${row.name} ${row.node} ${row.location}`.toLowerCase().includes(text.toLowerCase()));
  return (
    <Page
      title="Repositories"
      lead="Where the data is stored: once, compressed and encrypted, in the format of restic."
      cli="holdfast repository ls"
      api="GET /api/v1/repositories"
    >
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      <Unreachable rows={found.data?.unreachable} what="What they hold is not shown." />
      {found.isPending && <Loader aria-label="Asking the repositories" />}
      {found.data && all.length === 0 && found.data.unreachable.length === 0 && <Nothing />}
      {all.length > 0 && (
        <Card
          title={counted(rows.length, "repository", "repositories")}
          actions={
            all.length > MANY || text ? (
              <TextInput
                size="xs"
                aria-label="Find a repository"
                placeholder="Name, node, place"
                leftSection={<IconSearch size={14} aria-hidden />}
                value={text}
                onChange={(event) => put({ text: event.currentTarget.value })}
              />
            ) : undefined
          }
          flush
        >
          <VirtualTable
            label="Repositories"
            rows={rows}
            columns={COLUMNS}
            rowKey={(row) => row.id}
            rowHeight={60}
            onOpen={(row) => go(to.repository(row.name))}
            empty="No repository fits what you look for."
          />
        </Card>
      )}
    </Page>
  );
}

function Nothing() {
  return (
    <NotThere icon={IconDatabase} title="There is no repository yet" href="/" see="Protect a folder">
      A repository is a folder of a node that holds restore points. It is made when the first flow that stores something is activated.
    </NotThere>
  );
}

const COLUMNS: Column<Repository>[] = [
  {
    key: "state",
    title: "State",
    width: "112px",
    sortBy: (row) => (row.error ? 0 : 1),
    cell: (row) => (
      <span title={row.error ? visible(row.error.message) : undefined}>
        <State state={row.error ? "failed" : "ok"} label={row.error ? "in trouble" : "ok"} />
      </span>
    ),
  },
  {
    key: "name",
    title: "Repository, where",
    width: "minmax(90px, 1.6fr)",
    sortBy: (row) => row.name,
    cell: (row) => (
      <>
        <Link href={to.repository(row.name)} className={classes.name}>
          {visible(row.name)}
        </Link>
        <Text size="xs" c="dimmed" className={classes.line} title={visible(row.location)}>
          {visible(row.node)}: {visible(row.location)}
        </Text>
      </>
    ),
  },
  {
    key: "stored",
    title: "Stored",
    width: "minmax(160px, 1.2fr)",
    sortBy: (row) => row.stored_bytes,
    cell: (row) => (
      <>
        <div>{formatBytes(row.stored_bytes)}</div>
        <Text size="xs" c="dimmed" className={classes.line}>
          {savings(row)?.short ?? "nothing yet"}
          {row.points_bytes > 0 && ` of ${formatBytes(row.points_bytes)}`}
        </Text>
      </>
    ),
  },
  {
    key: "room",
    title: "Room",
    width: "minmax(110px, 0.9fr)",
    sortBy: (row) => row.room?.free_bytes ?? Number.MAX_VALUE,
    cell: (row) => <RoomCell row={row} />,
  },
  { key: "points", title: "Points", width: "72px", sortBy: (row) => row.points, cell: (row) => row.points.toLocaleString("en") },
  { key: "newest", title: "Newest point", width: "minmax(84px, 112px)", sortBy: (row) => row.newest_at ?? "", cell: (row) => <Moment time={row.newest_at} ago never="none yet" /> },
  { key: "proof", title: "Last proven restorable", width: "178px", sortBy: (row) => row.checked_at ?? "", cell: (row) => <ProofCell row={row} /> },
];

function RoomCell({ row }: { row: Repository }) {
  const room = roomOf(row, useNow());
  if (!room || !row.room) return <Text c="dimmed">-</Text>;
  return (
    <div title={room.text}>
      {room.state === "ok" ? <div>{formatBytes(row.room.free_bytes)} free</div> : <State state={room.state} label={`${formatBytes(row.room.free_bytes)} free`} quiet />}
      <Text size="xs" c="dimmed" className={classes.line}>
        {room.short}
      </Text>
    </div>
  );
}

function ProofCell({ row }: { row: Repository }) {
  const proof = proofOf(row);
  return (
    <div title={proof.text}>
      <State state={proof.state} label={proof.word} quiet />
      {proof.at && (
        <Text size="xs" c="dimmed">
          <Moment time={proof.at} ago />
        </Text>
      )}
    </div>
  );
}
