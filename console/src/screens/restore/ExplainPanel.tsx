/** Why a version of a path is still there: which points hold it, what keeps each, until when, and where copies are. */
import { Drawer, List, Loader, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";
import { keys } from "../../api/queries";
import { Copyable } from "../../parts/Equivalent";
import { counted, formatBytes, formatTime, shellWord, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { Unreachable } from "../../parts/Unreachable";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { reasonWords } from "./explaining";
import { decodedPath, nameOf } from "./paths";
import classes from "./Restore.module.css";

type Explanation = Schemas["Explanation"];
type Keeper = Schemas["Keeper"];

/** As dialogs have it. */
const DRAWER = { title: { fontSize: "1.15rem", fontWeight: 650 } };

/** `path` is percent-encoded; `at`: the version that was the newest then. */
export interface Question {
  path: string;
  dataset: string;
  at: string;
}

export function ExplainPanel({ question, onClose }: { question: Question; onClose: () => void }) {
  const { path, dataset, at } = question;
  const found = useQuery({
    queryKey: [...keys.points, "explain", path, dataset, at],
    queryFn: ({ signal }) => take(client.GET("/api/v1/explain", { params: { query: { path, dataset, at } }, signal })),
  });
  const rows = found.data?.rows ?? [];
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title={`Why ${nameOf(decodedPath(path))} is kept`} closeButtonProps={{ "aria-label": "Close" }} styles={DRAWER}>
      <Stack gap="md">
        <Text size="sm" className={classes.landing}>
          {visible(decodedPath(path))}
        </Text>
        <Text size="sm">As it was at {formatTime(at)}.</Text>
        {found.isPending && <Loader size="sm" aria-label="Asking the repositories" />}
        {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
        <Unreachable rows={found.data?.unreachable} what="What it holds is missing here." />
        {found.data && rows.length === 0 && <Text size="sm">No point of ours holds it. Points of other programs are never removed by Holdfast.</Text>}
        {rows.map((row) => (
          <InRepository key={`${row.repository} ${row.dataset_id}`} row={row} />
        ))}
        {found.data && found.data.mirrors.length > 0 && <Mirrors mirrors={found.data.mirrors} />}
        <Copyable text={`holdfast explain ${shellWord(decodedPath(path))} --dataset ${shellWord(dataset)} --at ${at}`} what="command" />
      </Stack>
    </Drawer>
  );
}

function InRepository({ row }: { row: Explanation }) {
  const kept = row.keepers.filter((keeper) => keeper.reasons.length > 0).length;
  return (
    <section aria-label={`In repository ${row.repository}`}>
      <Text fw={600}>
        In {visible(row.repository)} <State state={row.current ? "ok" : "off"} label={row.current ? "the newest version" : "not in the newest point"} quiet />
      </Text>
      <Text size="sm" c="dimmed" mb={6}>
        {row.kind === "file" ? `${formatBytes(row.size_bytes)}, held` : "Held"} by {counted(row.keepers.length, "point")}
        {kept === 0 && row.keepers.length > 0 ? "; nothing keeps them, the next run lets them go" : ""}
        {row.keepers.some((keeper) => keeper.every_s) && ". Until when: if runs go on as often as lately; if none comes any more, nothing goes"}.
      </Text>
      {row.moments && (
        <Text size="sm" mb={6}>
          Every state from {formatTime(row.moments.since)} to {row.moments.until ? formatTime(row.moments.until) : "now"} has it
          {row.moments.operation ? `, kept by ${visible(row.moments.operation)}` : ""}
          {row.moments.goes_at ? ` until ${formatTime(row.moments.goes_at)}` : ""}: <code>{visible(row.moments.address)}</code>
        </Text>
      )}
      <VirtualTable label={`Points of ${row.repository} that hold it`} rows={row.keepers} columns={COLUMNS} rowKey={(keeper) => `${keeper.point} ${keeper.operation}`} rowHeight={52} maxHeight="36vh" />
    </section>
  );
}

const COLUMNS: Column<Keeper>[] = [
  {
    key: "time",
    title: "Point",
    width: "minmax(120px, 1fr)",
    sortBy: (keeper) => keeper.time,
    cell: (keeper) => (
      <span className={classes.moment}>
        <span>{formatTime(keeper.time)}</span>
        <span className={classes.sub}>{visible(keeper.operation)}</span>
      </span>
    ),
  },
  {
    key: "why",
    title: "Kept by, until",
    width: "minmax(120px, 1.4fr)",
    cell: (keeper) => (
      <span className={classes.moment}>
        <span title={reasonWords(keeper.reasons)}>{reasonWords(keeper.reasons)}</span>
        <span className={classes.sub}>
          {keeper.goes_at ? (
            <>
              until <Moment time={keeper.goes_at} />{" "}
            </>
          ) : (
            (keeper.every_s || keeper.reasons.includes("no-rules")) && "for ever "
          )}
          {keeper.locked_until && (
            <>
              locked until <Moment time={keeper.locked_until} />{" "}
            </>
          )}
          {keeper.expires_at && (
            <>
              expires <Moment time={keeper.expires_at} />
            </>
          )}
        </span>
      </span>
    ),
  },
];

function Mirrors({ mirrors }: { mirrors: readonly Schemas["MirrorCopy"][] }) {
  return (
    <section aria-label="On mirrors">
      <Text fw={600}>On mirrors, in its newest version</Text>
      <List size="sm">
        {mirrors.map((mirror) => (
          <List.Item key={`${mirror.node} ${mirror.path}`}>
            {visible(mirror.path)} on {visible(mirror.node)} {!mirror.online && <State state="unknown" label="offline" quiet />}
            {mirror.stands_at && (
              <>
                , as of <Moment time={mirror.stands_at} />
              </>
            )}
          </List.Item>
        ))}
      </List>
    </section>
  );
}
