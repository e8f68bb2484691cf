/** Getting data back: choose a moment, look into its folders or search over all time, say where to, and see it done. */
import { Group, Select, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { useState } from "react";
import { usePoints, useStatus } from "../../api/queries";
import { Copyable } from "../../parts/Equivalent";
import { shellWord } from "../../parts/format";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { useAddress } from "./address";
import { LastClean } from "./LastClean";
import { Mirrors } from "./Mirrors";
import { datasetsOf, momentsOf } from "./moments";
import { OverTime } from "./OverTime";
import { RestoreDialog, type Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";
import { commandOf, FILTERS, isAsked } from "./search/asking";
import { Hits, HITS_LABEL } from "./search/Hits";
import { SearchBar } from "./search/SearchBar";

export default function Restore() {
  const [address, change] = useAddress();
  const [wish, setWish] = useState<Wish | null>(null);
  const points = usePoints();
  const following = useStatus().data?.following ?? [];
  const datasets = datasetsOf(points.data?.points ?? [], following);
  const dataset = address.dataset || datasets[0] || "";
  const moments = momentsOf((points.data?.points ?? []).filter((point) => point.dataset === dataset));
  const isSearch = isAsked(address.q, address);
  const pointId = address.point || (moments[0]?.id ?? "");

  return (
    <Page
      title="Restore"
      lead="Choose a moment and look into its folders, or search for a name over all time. Nothing is overwritten before you have seen what would be."
      cli={isSearch ? commandOf(address.q, address) : cliFor(dataset, pointId)}
      api="POST /api/v1/restores"
    >
      {points.error && <Problem error={points.error} onRetry={() => void points.refetch()} />}
      <Unreachable rows={points.data?.unreachable} what="Its points are missing here." />
      <Group align="flex-end" wrap="wrap">
        <Select
          label="Dataset"
          data={[...new Set([...datasets, ...(dataset ? [dataset] : [])])]}
          value={dataset || null}
          onChange={(value) => change({ dataset: value ?? "", point: "", path: "", other: "", span: "", until: "" })}
          placeholder={points.isPending ? "Loading …" : "No points yet"}
          searchable
          allowDeselect={false}
          className={classes.dataset}
        />
        {dataset && <LastClean dataset={dataset} onPick={(point) => change({ ...NO_SEARCH, dataset, point, path: "", other: "" })} />}
        <SearchBar q={address.q} filters={address} onChange={(search) => change({ ...search, hit: "" }, true)} onDown={toHits} />
      </Group>
      {!isSearch && points.data && <Mirrors dataset={dataset} onRestore={setWish} />}
      {points.data && datasets.length === 0 && <NothingYet hasSilent={points.data.unreachable.length > 0} />}
      {isSearch && (
        <Hits
          q={address.q}
          filters={address}
          opened={address.hit}
          onOpen={(hit) => change({ hit })}
          onRestore={setWish}
          onShow={(place) => change({ ...NO_SEARCH, ...place, other: "" })}
        />
      )}
      {!isSearch && dataset && points.data && (
        <OverTime
          key={dataset}
          dataset={dataset}
          points={moments}
          followed={following.find((row) => row.dataset === dataset) ?? null}
          address={address}
          change={change}
          onRestore={setWish}
        />
      )}
      {!isSearch && pointId && <Mounting id={pointId} />}
      {wish && <RestoreDialog wish={wish} onClose={() => setWish(null)} />}
    </Page>
  );
}

const NO_SEARCH = { q: "", hit: "", ...Object.fromEntries(FILTERS.map((name) => [name, ""])) };

const toHits = () => document.querySelector<HTMLElement>(`[role=table][aria-label="${HITS_LABEL}"] [tabindex="0"]`)?.focus();

function NothingYet({ hasSilent }: { hasSilent: boolean }) {
  return (
    <NotThere icon={IconHistory} title={hasSilent ? "No points can be seen at the moment" : "There is nothing to restore yet"} href="/flows" see="See the flows">
      {hasSilent
        ? "The repositories named above do not answer. What they hold is not lost."
        : "Each run of a backup makes a point, and every point can be restored from here. Activate a flow and run it once."}
    </NotThere>
  );
}

function Mounting({ id }: { id: string }) {
  return (
    <Group gap="xs" wrap="wrap">
      <Text size="sm" c="dimmed">
        To open its files in any program, on the repository's machine or, logged in, on another:
      </Text>
      <Copyable text={`holdfast mount ${pointWord(id)} /mnt/point`} what="mount command" />
    </Group>
  );
}

function cliFor(dataset: string, id: string): string {
  if (id) return `holdfast restore ${pointWord(id)} --to /tmp/back`;
  return dataset ? `holdfast points --dataset ${shellWord(dataset)}` : "holdfast points";
}

/** A point as one names it on the command line. */
function pointWord(id: string): string {
  return id.includes("@") ? shellWord(id) : id.slice(0, 8);
}
