/** Mirrors as copies to restore from: where each stands, and the way to have that state back. */
import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, type Schemas, take } from "../../api/client";
import { keys } from "../../api/queries";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import type { Wish } from "./RestoreDialog";

type Row = Schemas["MirrorRow"];

/** Of one dataset; of all where it is empty. */
export const useMirrors = (dataset: string) =>
  useQuery({
    queryKey: [...keys.points, "mirrors", dataset],
    queryFn: ({ signal }) => take(client.GET("/api/v1/mirrors", { params: { query: { dataset } }, signal })),
  });

export function Mirrors({ dataset, onRestore }: { dataset: string; onRestore: (wish: Wish) => void }) {
  const found = useMirrors(dataset);
  const rows = found.data?.mirrors ?? [];
  if (found.error) return <Problem error={found.error} onRetry={() => void found.refetch()} />;
  if (rows.length === 0) return null;
  return (
    <section aria-label="Mirrors">
      {rows.map((row) => (
        <Group key={`${row.dataset} ${row.name}`} gap="xs" wrap="wrap">
          <Text size="sm">
            {dataset === "" && `${visible(row.dataset)}: `}mirror {visible([row.name, ...row.targets.slice(1).map(([, folder]) => folder)].join(", "))}:{" "}
            {row.stand ? <Moment time={row.stand.captured_at} /> : row.online ? "equal to no state now" : "its machine is away"}
          </Text>
          {row.stand && (
            <Button size="compact-sm" variant="default" onClick={() => onRestore(wishOf(row, row.stand!))} aria-label={`Restore from it: ${visible(row.name)}`}>
              Restore from it
            </Button>
          )}
        </Group>
      ))}
    </section>
  );
}

/** All of the state that a mirror is equal to; pure. */
export function wishOf(row: Pick<Row, "name" | "dataset"> & { targets: readonly (readonly string[])[] }, stand: Schemas["Stand"]): Wish {
  return {
    point: { id: "", dataset: row.dataset, time: stand.captured_at, paths: row.targets.map(([root]) => root ?? "") },
    paths: [],
    shown: [],
    roots: row.targets.map(([root]) => root ?? ""),
    from: row.name,
  };
}
