/** Archived files: what there is and until when, what would be archived now, legal holds, and the way back. */
import { Loader } from "@mantine/core";
import { IconArchive } from "@tabler/icons-react";
import { Card } from "../../parts/Card";
import { formatBytes, formatCount, shellWord, visible } from "../../parts/format";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { useFilters } from "../../parts/useFilters";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { type ArchivedDataset, holdsOf, keptFor, rowKey } from "./archive";
import { Holds } from "./Holds";
import { Planned } from "./Planned";
import { useArchives } from "./useArchive";
import { Versions } from "./Versions";

const NAMES = ["dataset", "repository", "path"] as const;

export default function Archive() {
  const [asked, put] = useFilters(NAMES);
  const found = useArchives();
  const rows = found.data?.datasets ?? [];
  const chosen = rows.find((row) => row.dataset === asked.dataset && row.repository === asked.repository) ?? rows.find((row) => row.dataset === asked.dataset);
  const shown = chosen ?? (asked.dataset ? undefined : rows[0]);
  const ofDataset = rows.filter((row) => row.dataset === shown?.dataset);
  return (
    <Page
      title="Archive"
      lead="Files that left their machine for a repository: how long each is kept and why. Opening a stub brings the content; a recall brings the file itself back into its place."
      cli={shown ? `holdfast archive ls ${shellWord(shown.dataset)} --repository ${shellWord(shown.repository)}` : "holdfast archive report"}
      api="GET /api/v1/archive"
    >
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      <Unreachable rows={found.data?.unreachable} what="What is archived there is missing here." />
      {found.isPending && <Loader size="sm" aria-label="Asking the repositories" />}
      {found.data && rows.length === 0 && <NothingYet isWhole={found.data.unreachable.length === 0} />}
      {rows.length > 0 && (
        <Card title="What is archived" flush>
          <VirtualTable
            label="Archived datasets"
            rows={rows}
            columns={COLUMNS}
            rowKey={rowKey}
            maxHeight="32vh"
            selected={shown ? rowKey(shown) : ""}
            onOpen={({ dataset, repository }) => put({ dataset, repository, path: "" })}
          />
        </Card>
      )}
      {found.data && asked.dataset && !shown && rows.length > 0 && <Problem error={nothingOf(asked.dataset)} />}
      {shown && <Versions key={rowKey(shown)} row={shown} path={asked.path} onPath={(path) => put({ path })} />}
      {shown && <Holds key={shown.dataset} dataset={shown.dataset} holds={holdsOf(ofDataset)} />}
      <Planned />
    </Page>
  );
}

function NothingYet({ isWhole }: { isWhole: boolean }) {
  return (
    <NotThere icon={IconArchive} title={isWhole ? "Nothing is archived yet" : "No archived files can be seen at the moment"} href="/policies" see="See the policies">
      {isWhole
        ? "A policy with an archive operation moves files that nobody uses to a repository, each for its own time. Below you see what the policies in force would take now."
        : "The repositories named above do not answer. What they hold is not lost."}
    </NotThere>
  );
}

const nothingOf = (dataset: string) => new Error(`Nothing of ${visible(dataset)} is archived. The list above says what is.`);

const COLUMNS: Column<ArchivedDataset>[] = [
  { key: "dataset", title: "Dataset", width: "minmax(150px, 2fr)", sortBy: (row) => row.dataset, cell: (row) => visible(row.dataset) },
  { key: "repository", title: "Repository", width: "minmax(90px, 1fr)", sortBy: (row) => row.repository, cell: (row) => visible(row.repository) },
  { key: "files", title: "Versions", width: "84px", align: "right", sortBy: (row) => row.files, cell: (row) => formatCount(row.files) },
  { key: "size", title: "Size", width: "84px", align: "right", sortBy: (row) => row.size_bytes, cell: (row) => formatBytes(row.size_bytes) },
  { key: "why", title: "Takes", width: "minmax(150px, 2fr)", cell: (row) => <span title={row.why}>{visible(row.why) || "–"}</span> },
  { key: "keep", title: "Kept for", width: "minmax(90px, 1fr)", cell: (row) => <span title={keptFor(row)}>{keptFor(row)}</span> },
  {
    key: "holds",
    title: "Held by",
    width: "minmax(90px, 1fr)",
    cell: (row) => {
      const names = row.holds.map((hold) => visible(hold.name)).join(", ");
      return <span title={names}>{names || "–"}</span>;
    },
  },
];
