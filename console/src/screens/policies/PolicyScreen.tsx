/** One policy of the working copy: which data, what is done with it, what stays, and what it would take right now. */
import { Button } from "@mantine/core";
import { IconArrowLeft, IconShieldOff } from "@tabler/icons-react";
import { Link, useLocation, useSearch } from "wouter";
import { to } from "../../app/places";
import { ConflictBanner } from "../../draft/ConflictBanner";
import { openDraft, useDraft } from "../../draft/draft";
import { DraftBar } from "../../draft/DraftBar";
import { mappingAt } from "../../draft/edits";
import { visible } from "../../parts/format";
import { NotThere } from "../../parts/NotThere";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";
import { Loading } from "../../parts/Loading";
import { Classification } from "./Classification";
import { Hooks } from "./Hooks";
import { LiveSample, useSampleNodes } from "./LiveSample";
import { Operations } from "./Operations";
import { PolicyTags } from "./PartFields";
import classes from "./policies.module.css";
import { type Policy, policyOf } from "./policy";
import { PolicyMenu } from "./PolicyMenu";
import { Problems } from "./Problems";
import { UsedIn } from "./UsedIn";
import { Watching } from "./Watching";

export default function PolicyScreen({ name }: { name: string }) {
  const draft = useDraft();
  const policy = policyOf(draft.values, name);
  return (
    <Page
      title={visible(name)}
      lead="A policy says which data is meant and what is done with it. A flow says where it goes."
      actions={
        <>
          <BackToDrawing />
          <DraftBar />
          {policy && <PolicyMenu policy={policy} />}
        </>
      }
      cli="holdfast apply FILE"
      api="POST /api/v1/environment/edit"
    >
      <ConflictBanner />
      {draft.error && <Problem error={draft.error} onRetry={() => void openDraft()} />}
      {draft.phase === "loading" && <Loading />}
      {draft.phase === "ready" && (policy ? <Editor key={name} policy={policy} readable={draft.readable} /> : <NoPolicy name={name} />)}
    </Page>
  );
}

/** `readable` false: what is shown is from before the text became unreadable, and cannot be edited. */
function Editor({ policy, readable }: { policy: Policy; readable: boolean }) {
  const [node, setNode] = useChosenNode(policy.name);
  return (
    <fieldset className={classes.editor} disabled={!readable}>
      <Problems policy={policy} />
      <div className={classes.columns}>
        <Classification policy={policy} node={node} />
        <div className={classes.beside}>
          <LiveSample policy={policy} node={node} onNode={setNode} />
        </div>
        <UsedIn policy={policy} />
        <Hooks policy={policy.name} />
        <Watching policy={policy.name} />
        <PolicyTags policy={policy.name} />
      </div>
      <Operations policy={policy} />
    </fieldset>
  );
}

/** For who came here from a drawing, in the midst of it. */
function BackToDrawing() {
  const flow = new URLSearchParams(useSearch()).get("flow");
  const isThere = Object.hasOwn(mappingAt(useDraft().values, ["flows"]), flow ?? "");
  if (!flow || !isThere) return null;
  return (
    <Button component={Link} href={to.flow(flow)} variant="light" leftSection={<IconArrowLeft size={17} aria-hidden />} title={visible(flow)}>
      Back to the drawing
    </Button>
  );
}

/** The node whose sample is shown stands in the address; without one it is the first that uses the policy. */
function useChosenNode(policy: string): [string, (node: string) => void] {
  const nodes = useSampleNodes(policy);
  const search = useSearch();
  const [location, go] = useLocation();
  const asked = new URLSearchParams(search).get("node");
  const node = nodes.some((each) => each.name === asked) ? asked! : (nodes[0]?.name ?? "");
  const choose = (name: string) => {
    const params = new URLSearchParams(search);
    params.set("node", name);
    go(`${location}?${params}`, { replace: true });
  };
  return [node, choose];
}

function NoPolicy({ name }: { name: string }) {
  return (
    <NotThere icon={IconShieldOff} title="There is no such policy" href="/policies" see="See all policies">
      The working copy has no policy {visible(name)}. If it was renamed or removed just now, Undo brings it back.
    </NotThere>
  );
}
