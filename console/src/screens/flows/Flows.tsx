/** All flows: how they stand, what they protect, and the beginning of a new one. */
import { Button, Center, Group, Loader } from "@mantine/core";
import { IconAffiliate, IconPlus, IconShieldPlus } from "@tabler/icons-react";
import { useMemo } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { to } from "../../app/places";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { edit, openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { set } from "../../draft/edits";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { counted, visible } from "../../parts/format";
import { sayFailed } from "../../parts/notices";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { FlowState } from "../flow/FlowState";
import classes from "./flows.module.css";
import { NameFlow } from "./NameFlow";
import { Protect } from "./Protect";
import { type FlowRow, flowRows } from "./rows";

const COLUMNS: readonly Column<FlowRow>[] = [
  {
    key: "name",
    title: "Flow",
    width: "minmax(120px, 1.4fr)",
    sortBy: (row) => row.name,
    cell: (row) => (
      <Link href={to.flow(row.name)} className={classes.name}>
        {visible(row.name)}
      </Link>
    ),
  },
  {
    key: "state",
    title: "State",
    width: "200px",
    sortBy: (row) => row.state,
    cell: (row) => (row.state === "new" ? <State state="off" label="not saved" /> : <FlowState flow={row.name} />),
  },
  { key: "datasets", title: "Protects", width: "minmax(150px, 2fr)", sortBy: (row) => row.datasets.length, cell: (row) => protectedBy(row) },
  { key: "drawn", title: "Drawn", width: "190px", cell: (row) => `${counted(row.vertices, "vertex", "vertices")}, ${counted(row.movers, "mover")}` },
  { key: "revision", title: "In force", width: "130px", cell: (row) => (row.revision === null ? "not yet" : `revision ${row.revision}`) },
];

const MOST_NAMED = 3;

function protectedBy({ datasets, revision }: FlowRow): string {
  if (datasets.length === 0) return revision === null ? "nothing yet" : "nothing";
  const more = datasets.length - MOST_NAMED;
  return datasets.slice(0, MOST_NAMED).map(visible).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

export default function Flows() {
  const draft = useDraft();
  const flows = useLive((live) => live.flows);
  const asked = new URLSearchParams(useSearch()).get("new");
  const [, go] = useLocation();
  const ask = (what: "protect" | "empty" | null) => go(what ? `/flows?new=${what}` : "/flows", { replace: true });
  const rows = useMemo(() => flowRows(draft.values, flows), [draft.values, flows]);
  const create = (name: string) => {
    edit([set(["flows", name], { vertices: {}, movers: [] })], `New flow ${name}`).catch(sayFailed);
    go(to.flow(name));
  };
  return (
    <Page
      title="Flows"
      lead="Which data goes from where to where, drawn. Once activated, each node does its part by itself."
      cli="holdfast status; holdfast activate FLOW"
      api="GET /api/v1/environment/document"
      actions={
        <>
          <DraftBar />
          {rows.length > 0 && (
            <>
              <Button variant="default" leftSection={<IconPlus size={17} aria-hidden />} onClick={() => ask("empty")}>
                New flow
              </Button>
              <Button leftSection={<IconShieldPlus size={17} aria-hidden />} onClick={() => ask("protect")}>
                Protect a computer
              </Button>
            </>
          )}
        </>
      }
    >
      <ConflictBanner />
      {draft.phase === "loading" && (
        <Center p="xl">
          <Loader aria-label="Loading" />
        </Center>
      )}
      {draft.phase === "failed" && <Problem error={draft.error} onRetry={() => void openDraft()} />}
      {draft.phase === "ready" && rows.length > 0 && (
        <Card title={counted(rows.length, "flow")} flush>
          <VirtualTable label="Flows" rows={rows} columns={COLUMNS} rowKey={(row) => row.name} rowHeight={46} onOpen={(row) => go(to.flow(row.name))} />
        </Card>
      )}
      {draft.phase === "ready" && rows.length === 0 && (
        <Card>
          <Empty
            icon={IconAffiliate}
            title="Nothing is protected yet"
            action={
              <Group justify="center" mt="sm">
                <Button size="md" leftSection={<IconShieldPlus size={18} aria-hidden />} onClick={() => ask("protect")}>
                  Protect a computer
                </Button>
                <Button size="md" variant="default" onClick={() => ask("empty")}>
                  Begin with an empty drawing
                </Button>
              </Group>
            }
          >
            Draw where your data is and where its copies go. The quickest way: name a folder and where to keep its points, and see it drawn.
          </Empty>
        </Card>
      )}
      {asked === "protect" && draft.phase === "ready" && <Protect onClose={() => ask(null)} />}
      {asked === "empty" && <NameFlow title="New flow" action="Begin to draw" onName={create} onClose={() => ask(null)} />}
    </Page>
  );
}
