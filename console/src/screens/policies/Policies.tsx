/** All policies of the working copy: what they are about, what they do, where they are used. */
import { Button, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconShieldCheck } from "@tabler/icons-react";
import { Link, useLocation, useSearch } from "wouter";
import { to } from "../../app/places";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { visible } from "../../parts/format";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { State } from "../../parts/State";
import { Loading } from "../../parts/Loading";
import { diagnosticsIn } from "./diagnostics";
import { NewPolicy } from "./NewPolicy";
import classes from "./policies.module.css";
import { kindTitle, makesPoints, policiesOf, type Operation, type Policy } from "./policy";
import { FlowLinks, inForceWords, useInForce } from "./UsedIn";
import { keepWords, listed, removedWords, scheduleWords } from "./words";

const FEW = 8;
const MOST_PATHS = 4;

export default function Policies() {
  const draft = useDraft();
  const [location, go] = useLocation();
  const query = new URLSearchParams(useSearch());
  const put = (name: string, value: string) => {
    if (value) query.set(name, value);
    else query.delete(name);
    go(query.size > 0 ? `${location}?${query}` : location, { replace: true });
  };
  const typed = query.get("find") ?? "";
  const all = policiesOf(draft.values);
  const found = all.filter((policy) => [policy.name, ...policy.paths].some((text) => text.toLowerCase().includes(typed.toLowerCase())));
  const create = (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={() => put("new", "1")}>
      New policy
    </Button>
  );
  return (
    <Page
      title="Policies"
      lead="Which data is meant, and what is done with it. Flows put policies on nodes."
      actions={
        <>
          <DraftBar />
          {all.length > 0 && create}
        </>
      }
      cli="holdfast export"
      api="GET /api/v1/environment/document"
    >
      <ConflictBanner />
      {draft.error && <Problem error={draft.error} onRetry={() => void openDraft()} />}
      {draft.phase === "loading" && <Loading />}
      {draft.phase === "ready" && all.length === 0 && (
        <Card>
          <Empty icon={IconShieldCheck} title="No policy yet" action={create}>
            A policy names folders, says what of them to leave out, and what is done with the rest: points in a repository every hour, say, kept
            for a year. Begin with one for the data you would miss most.
          </Empty>
        </Card>
      )}
      {all.length > FEW && (
        <TextInput
          label="Find"
          placeholder="Name or path"
          maw={360}
          value={typed}
          onChange={(event) => put("find", event.currentTarget.value)}
          autoComplete="off"
        />
      )}
      <Stack gap="sm" component="ul" className={classes.plain}>
        {found.map((policy) => (
          <Row key={policy.name} policy={policy} />
        ))}
      </Stack>
      {all.length > 0 && found.length === 0 && <Text size="sm">No policy has “{typed}” in its name or paths.</Text>}
      {query.has("new") && <NewPolicy onClose={() => put("new", "")} />}
    </Page>
  );
}

function Row({ policy }: { policy: Policy }) {
  const { diagnostics } = useDraft();
  const errors = diagnosticsIn(diagnostics, ["policies", policy.name]).filter((each) => each.level === "error");
  const inForce = useInForce(policy);
  const more = policy.paths.length - MOST_PATHS;
  const paths = [...policy.paths.slice(0, MOST_PATHS).map(visible), ...(more > 0 ? [`${more} more`] : [])];
  return (
    <li className={classes.card}>
      <div>
        <Link href={to.policy(policy.name)} className={classes.name}>
          {visible(policy.name)}
        </Link>
        {errors.length > 0 && (
          <div>
            <State state="failed" label={errors.length === 1 ? "one error" : `${errors.length} errors`} />
          </div>
        )}
        <Text size="sm" className={classes.wrap}>
          {listed(paths) || "No folders yet."}
        </Text>
      </div>
      <ul className={classes.plain}>
        {policy.operations.map((operation) => (
          <li key={operation.name}>
            <Text size="sm" className={classes.wrap}>
              <b>{visible(operationTitle(operation))}</b> {visible(operationWords(operation))}
            </Text>
          </li>
        ))}
        {policy.operations.length === 0 && <li>Nothing is done with it yet.</li>}
      </ul>
      <div>
        <FlowLinks policy={policy.name} />
        <Text size="sm" c="dimmed">
          {inForceWords(inForce, policy.name)}
        </Text>
      </div>
    </li>
  );
}

const operationTitle = ({ name, kind }: Operation): string => (name === kind ? kindTitle(kind) : `${name} (${kindTitle(kind)})`);

function operationWords({ kind, fields }: Operation): string {
  const stays = makesPoints(kind) ? `keeps ${keepWords(fields.keep)}` : kind === "replicate" ? removedWords(fields.removed) : "";
  return [scheduleWords(fields), stays].filter(Boolean).join("; ");
}
