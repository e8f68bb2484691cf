/** One policy of the working copy: which data, what is done with it, what stays, and what it would take right now. */
import { Button, Center, Loader } from "@mantine/core";
import { IconShieldOff } from "@tabler/icons-react";
import { Link, useLocation, useSearch } from "wouter";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Classification } from "./Classification";
import { diagnosticsElsewhere } from "./diagnostics";
import { Hooks } from "./Hooks";
import { LiveSample, useSampleNodes } from "./LiveSample";
import { Operations } from "./Operations";
import classes from "./policies.module.css";
import { type Policy, policyOf } from "./policy";
import { PolicyMenu } from "./PolicyMenu";
import { UsedIn } from "./UsedIn";

export default function PolicyScreen({ name }: { name: string }) {
  const draft = useDraft();
  const policy = policyOf(draft.values, name);
  return (
    <Page
      title={name}
      lead="A policy says which data is meant and what is done with it. A flow says where it goes."
      actions={
        <>
          <DraftBar />
          {policy && <PolicyMenu policy={policy} />}
        </>
      }
      cli="holdfast export > FILE, edit it, then holdfast apply FILE"
      api="POST /api/v1/environment/edit"
    >
      <ConflictBanner />
      {draft.error && <Problem error={draft.error} onRetry={() => void openDraft()} />}
      {draft.phase === "loading" && (
        <Center h={240}>
          <Loader aria-label="Loading" />
        </Center>
      )}
      {draft.phase === "ready" && (policy ? <Editor key={name} policy={policy} /> : <NotThere name={name} />)}
    </Page>
  );
}

function Editor({ policy }: { policy: Policy }) {
  const [node, setNode] = useChosenNode(policy.name);
  return (
    <>
      <OtherProblems policy={policy} />
      <div className={classes.columns}>
        <Classification policy={policy} node={node} />
        <LiveSample policy={policy} node={node} onNode={setNode} />
      </div>
      <Operations policy={policy} />
      <div className={classes.columns}>
        <Hooks policy={policy.name} />
        <UsedIn policy={policy.name} />
      </div>
    </>
  );
}

/** The node whose sample is shown stands in the address; without one it is the first that uses the policy. */
function useChosenNode(policy: string): [string, (node: string) => void] {
  const nodes = useSampleNodes(policy);
  const search = useSearch();
  const [location, go] = useLocation();
  const asked = new URLSearchParams(search).get("node");
  const node = nodes.some((each) => each.name === asked) ? asked! : (nodes[0]?.name ?? "");
  return [node, (name) => go(`${location}?${new URLSearchParams({ node: name })}`, { replace: true })];
}

/** What no field shows: the rest of the policy, and what is wrong with its name or its keys. */
function OtherProblems({ policy }: { policy: Policy }) {
  const { diagnostics } = useDraft();
  const path = ["policies", policy.name];
  const shown = [
    ...["classification", "hooks"].map((key) => [...path, key]),
    ...policy.operations.flatMap(({ name }) =>
      ["every", "at", "schedule", "after", "keep", "removed"].map((key) => [...path, "operations", name, key]),
    ),
  ];
  const others = diagnosticsElsewhere(diagnostics, path, shown);
  if (others.length === 0) return null;
  return (
    <Card title="Worth a look">
      <DiagnosticList diagnostics={others} />
    </Card>
  );
}

function NotThere({ name }: { name: string }) {
  return (
    <Empty
      icon={IconShieldOff}
      title="There is no such policy"
      action={
        <Button component={Link} href="/policies">
          See all policies
        </Button>
      }
    >
      The working copy has no policy {name}. If it was renamed or removed just now, Undo brings it back.
    </Empty>
  );
}
