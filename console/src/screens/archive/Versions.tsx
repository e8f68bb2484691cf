/** The archived versions of one dataset in one repository. What is ticked is recalled; nothing ticked means all that is shown. */
import { Button, Checkbox, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Card } from "../../parts/Card";
import { counted, formatBytes, formatCount, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { decodedPath, encodedPath } from "../restore/paths";
import { askedPath, type ArchivedDataset, type ArchivedFile, fileKey, folderOf, nodeOf, type Recall } from "./archive";
import classes from "./archive.module.css";
import { RecallDialog } from "./RecallDialog";
import { useVersions } from "./useArchive";

interface VersionsProps {
  row: ArchivedDataset;
  /** What somebody typed: only at or below it. */
  path: string;
  onPath: (path: string) => void;
}

export function Versions({ row, path, onPath }: VersionsProps) {
  const found = useVersions(row.dataset, row.repository, askedPath(path));
  const files = found.data?.files ?? [];
  // Several versions of a path have one place to come back to.
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const [wanted, setWanted] = useState<Recall | null>(null);
  const folder = folderOf(files);
  const tick = (file: ArchivedFile) => {
    const next = new Set(ticked);
    const key = encodedPath(file);
    if (!next.delete(key)) next.add(key);
    setTicked(next);
  };
  const recall = () => {
    const isSome = ticked.size > 0;
    setWanted({ node: nodeOf(row.dataset), paths: isSome ? [...ticked] : [folder], recursive: !isSome });
  };
  return (
    <Card title={`Versions of ${visible(row.dataset)} in ${visible(row.repository)}`} actions={<PathFilter path={path} onPath={onPath} />} flush>
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      <Unreachable rows={found.data?.unreachable} what="What is archived there is missing here." />
      <VirtualTable
        label="Archived versions"
        rows={files}
        columns={columns(ticked, tick)}
        rowKey={fileKey}
        rowHeight={36}
        maxHeight="min(48vh, 480px)"
        onOpen={tick}
        empty={found.isPending ? "Loading …" : "Nothing is archived at or below this path."}
      />
      <div className={classes.bar}>
        <Text size="sm" c="dimmed">
          {ticked.size > 0 ? `${counted(ticked.size, "file")} chosen` : counted(files.length, "version")}
          {found.data?.more && `: only the oldest ${formatCount(files.length)} are shown. Name a folder to see fewer.`}
        </Text>
        <Button disabled={ticked.size === 0 && !folder} onClick={recall}>
          {ticked.size > 0 ? `Recall ${counted(ticked.size, "file")} …` : folder ? `Recall all below ${visible(decodedPath(folder))} …` : "Recall …"}
        </Button>
      </div>
      {wanted && <RecallDialog wanted={wanted} onClose={() => setWanted(null)} />}
    </Card>
  );
}

/** Asked when it is done: each question goes to all owners. */
function PathFilter({ path, onPath }: { path: string; onPath: (path: string) => void }) {
  const [typed, setTyped] = useState(path);
  const isWrong = typed !== "" && !typed.startsWith("/");
  const done = () => !isWrong && typed !== path && onPath(typed);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        done();
      }}
    >
      <TextInput
        size="xs"
        w={260}
        aria-label="Only at or below"
        placeholder="All paths; or /srv/documents"
        value={typed}
        error={isWrong && "An absolute path, like /srv/documents."}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onBlur={done}
      />
    </form>
  );
}

const columns = (ticked: ReadonlySet<string>, tick: (file: ArchivedFile) => void): Column<ArchivedFile>[] => [
  {
    key: "tick",
    title: "",
    width: "28px",
    cell: (file) => (
      <span onClick={(event) => event.stopPropagation()}>
        <Checkbox size="sm" checked={ticked.has(encodedPath(file))} onChange={() => tick(file)} aria-label={`Choose ${visible(file.path)}`} />
      </span>
    ),
  },
  {
    key: "path",
    title: "Path",
    width: "minmax(200px, 3fr)",
    sortBy: (file) => file.path,
    cell: (file) => (
      <div className={classes.path} title={visible(file.path)}>
        <span>{visible(file.path.slice(0, file.path.lastIndexOf("/") + 1))}</span>
        <span>{visible(file.path.slice(file.path.lastIndexOf("/") + 1))}</span>
      </div>
    ),
  },
  { key: "size", title: "Size", width: "84px", align: "right", sortBy: (file) => file.size_bytes, cell: (file) => formatBytes(file.size_bytes) },
  { key: "modified", title: "Last changed", width: "164px", sortBy: (file) => file.modified_at, cell: (file) => <Moment time={file.modified_at} /> },
  { key: "archived", title: "Archived", width: "164px", sortBy: (file) => file.archived_at, cell: (file) => <Moment time={file.archived_at} /> },
  { key: "until", title: "Kept until", width: "164px", sortBy: (file) => file.until ?? "9999", cell: (file) => <Moment time={file.until} never="for ever" /> },
  {
    key: "holds",
    title: "Held by",
    width: "minmax(80px, 1fr)",
    sortBy: (file) => file.holds.join(", "),
    cell: (file) => {
      const names = file.holds.map(visible).join(", ");
      return <span title={names}>{names || "–"}</span>;
    },
  },
];
