/** Where a file is archived: in which repositories and until when, and how it comes back into its place. Nothing where it is not. */
import { Alert, Button, Text } from "@mantine/core";
import { IconArchive } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { counted, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { nodeOf } from "../archive/archive";
import { RecallDialog } from "../archive/RecallDialog";
import { useArchives, useVersions } from "../archive/useArchive";
import { decodedPath } from "./paths";

const ENOUGH = 100;

/** `path` is percent-encoded. Versions are asked for where the dataset has any: else the call is an error, and that is the usual case. */
export default function ArchivedHere({ dataset, path }: { dataset: string; path: string }) {
  const isArchived = useArchives().data?.datasets.some((row) => row.dataset === dataset);
  const found = useVersions(isArchived ? dataset : "", "", path, ENOUGH);
  const [isRecalling, setRecalling] = useState(false);
  const files = found.data?.files ?? [];
  const last = files.at(-1);
  if (!last) return null;
  const where = [...new Set(files.map((file) => visible(file.repository)))].join(", ");
  return (
    <Alert variant="light" color="blue" icon={<IconArchive aria-hidden />} title={`Archived: ${counted(files.length, "version")} in ${where}`}>
      <Text size="sm" mb="xs">
        Last <Moment time={last.archived_at} />, kept until <Moment time={last.until} never="ever" />
        {last.holds.length > 0 && `, held by ${last.holds.map(visible).join(", ")}`}. A stub may stand in its place on {visible(nodeOf(dataset))}; opening that recalls the
        content.
      </Text>
      <Button size="xs" variant="default" onClick={() => setRecalling(true)}>
        Recall it …
      </Button>{" "}
      <Link href={to.archive({ dataset, path: decodedPath(path) })}>See its archived versions</Link>
      {isRecalling && <RecallDialog wanted={{ node: nodeOf(dataset), paths: [path], recursive: false }} onClose={() => setRecalling(false)} />}
    </Alert>
  );
}
