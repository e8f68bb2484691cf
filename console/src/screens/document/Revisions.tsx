/** Every revision that was stored; one of them to be read, compared, and taken into the working copy again. */
import { Button, Group, SegmentedControl, Text } from "@mantine/core";
import { IconHistory, IconRestore } from "@tabler/icons-react";
import { useLocation, useSearch } from "wouter";
import { DiffView } from "../../draft/DiffView";
import { setText, useDraft } from "../../draft/draft";
import { useBusy } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { sayDone } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { Loading } from "../../parts/Loading";
import classes from "./document.module.css";
import { type RevisionFacts, useRevision, useRevisions } from "./useRevisions";

const COLUMNS: readonly Column<RevisionFacts>[] = [
  { key: "revision", title: "No.", width: "48px", cell: (row) => row.revision },
  { key: "when", title: "When", width: "96px", cell: (row) => <Moment time={row.created_at} ago /> },
  {
    key: "what",
    title: "Who and why",
    width: "minmax(120px, 1fr)",
    cell: (row) => <span title={visible(row.comment)}>{visible([row.author, row.comment].filter(Boolean).join(": "))}</span>,
  },
];

export function Revisions() {
  const list = useRevisions();
  const [, go] = useLocation();
  const wanted = Number(new URLSearchParams(useSearch()).get("revision"));
  const rows = list.data?.pages.flatMap((page) => page.revisions) ?? [];
  const chosen = Number.isInteger(wanted) && wanted > 0 ? wanted : (rows[0]?.revision ?? null);
  if (list.error) return <Problem error={list.error} onRetry={() => void list.refetch()} />;
  if (list.isPending)
    return <Loading />;
  return (
    <div className={classes.split}>
      <Card title="Revisions" flush>
        <VirtualTable
          label="Revisions of the document"
          rows={rows}
          columns={COLUMNS}
          rowKey={(row) => String(row.revision)}
          selected={String(chosen)}
          onOpen={(row) => go(`/document?view=revisions&revision=${row.revision}`, { replace: true })}
          onEnd={() => list.hasNextPage && !list.isFetchingNextPage && void list.fetchNextPage()}
        />
      </Card>
      {chosen === null ? <Empty icon={IconHistory} title="No revision yet" /> : <Revision key={chosen} number={chosen} />}
    </div>
  );
}

type Shown = "changed" | "against" | "whole";

function Revision({ number }: { number: number }) {
  const draft = useDraft();
  const found = useRevision(number);
  const before = useRevision(number > 1 ? number - 1 : null);
  const params = new URLSearchParams(useSearch());
  const [, go] = useLocation();
  const asked = params.get("show");
  const shown: Shown = asked === "against" || asked === "whole" ? asked : "changed";
  const { busy, attempt } = useBusy();
  const error = found.error ?? before.error;
  if (error) return <Problem error={error} onRetry={() => void (found.error ? found : before).refetch()} />;
  if (!found.data || (number > 1 && !before.data))
    return <Loading label="Loading the revision" />;
  const { text, author, comment, created_at: createdAt } = found.data;
  const restore = () =>
    attempt(async () => {
      await setText(text, `Take revision ${number} again`);
      sayDone(`The text of revision ${number} is in your working copy`, "Nothing is stored before you save it. Undo takes it back.");
    });
  return (
    <Card
      title={`Revision ${number}`}
      actions={
        <Button
          size="xs"
          leftSection={<IconRestore size={15} aria-hidden />}
          loading={busy}
          disabled={text === draft.text}
          onClick={() => void restore()}
        >
          Take it into my working copy
        </Button>
      }
    >
      <Text size="sm" mb="sm">
        {visible(author)}, <Moment time={createdAt} />
        {comment && `: ${visible(comment)}`}
      </Text>
      <Group mb="sm">
        <SegmentedControl
          size="xs"
          maw="100%"
          style={{ overflowX: "auto" }}
          aria-label="What to see of the revision"
          value={shown}
          onChange={(next) => go(`/document?view=revisions&revision=${number}&show=${next}`, { replace: true })}
          data={[
            { value: "changed", label: "What it changed" },
            { value: "against", label: "Against my working copy" },
            { value: "whole", label: "Whole text" },
          ]}
        />
      </Group>
      {shown === "changed" && <DiffView before={before.data?.text ?? ""} after={text} label={`What revision ${number} changed`} />}
      {shown === "against" && <DiffView before={text} after={draft.text} label={`From revision ${number} to the working copy`} />}
      {shown === "whole" && (
        <pre className={classes.whole} tabIndex={0} aria-label={`Text of revision ${number}`}>
          {text.split("\n").map(visible).join("\n")}
        </pre>
      )}
    </Card>
  );
}
