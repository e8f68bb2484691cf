/** Getting data back: choose a moment, look into its folders or search over all time, say where to, and see it done. */
import { Button, Group, Select, TextInput } from "@mantine/core";
import { IconHistory, IconSearch } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { usePoints, useStatus } from "../../api/queries";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { shellWord } from "../../parts/format";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { useAddress } from "./address";
import { LastClean } from "./LastClean";
import { datasetsOf, momentsOf } from "./moments";
import { OverTime } from "./OverTime";
import { RestoreDialog, type Wish } from "./RestoreDialog";
import classes from "./Restore.module.css";
import { SearchResults } from "./SearchResults";

export default function Restore() {
  const [address, change] = useAddress();
  const [wish, setWish] = useState<Wish | null>(null);
  const points = usePoints();
  const following = useStatus().data?.following ?? [];
  const datasets = datasetsOf(points.data?.points ?? [], following);
  const dataset = address.dataset || datasets[0] || "";
  const moments = momentsOf((points.data?.points ?? []).filter((point) => point.dataset === dataset));
  const isSearch = address.q !== "";

  return (
    <Page
      title="Restore"
      lead="Choose a moment and look into its folders, or search for a name over all time. Nothing is overwritten before you have seen what would be."
      cli={cliFor(address.q, dataset, address.point || (moments[0]?.id ?? ""))}
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
        {dataset && <LastClean dataset={dataset} onPick={(point) => change({ dataset, point, path: "", q: "", other: "" })} />}
        <SearchField q={address.q} onSearch={(q) => change({ q })} />
      </Group>
      {points.data && datasets.length === 0 && <NothingYet hasSilent={points.data.unreachable.length > 0} />}
      {isSearch && <SearchResults q={address.q} onRestore={setWish} onShow={(place) => change({ ...place, other: "", q: "" })} />}
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
      {wish && <RestoreDialog wish={wish} onClose={() => setWish(null)} />}
    </Page>
  );
}

function SearchField({ q, onSearch }: { q: string; onSearch: (q: string) => void }) {
  const [typed, setTyped] = useState(q);
  useEffect(() => setTyped(q), [q]);
  return (
    <form
      className={classes.search}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch(typed.trim());
      }}
    >
      <TextInput
        label="Search over all time"
        placeholder="letter*.odt, or a part of a path like /2025/*"
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        leftSection={<IconSearch size={16} aria-hidden />}
        className={classes.searchInput}
      />
      <Button type="submit">Search</Button>
      {q && (
        <Button variant="default" onClick={() => onSearch("")}>
          Back to folders
        </Button>
      )}
    </form>
  );
}

function NothingYet({ hasSilent }: { hasSilent: boolean }) {
  return (
    <Card>
      <Empty
        icon={IconHistory}
        title={hasSilent ? "No points can be seen at the moment" : "There is nothing to restore yet"}
        action={
          <Button component={Link} href="/flows">
            See the flows
          </Button>
        }
      >
        {hasSilent
          ? "The repositories named above do not answer. What they hold is not lost."
          : "Each run of a backup makes a point, and every point can be restored from here. Activate a flow and run it once."}
      </Empty>
    </Card>
  );
}

function cliFor(q: string, dataset: string, id: string): string {
  if (q) return `holdfast find ${shellWord(q)}`;
  if (id) return `holdfast restore ${id.includes("@") ? shellWord(id) : id.slice(0, 8)} --to /tmp/back`;
  return dataset ? `holdfast points --dataset ${shellWord(dataset)}` : "holdfast points";
}
