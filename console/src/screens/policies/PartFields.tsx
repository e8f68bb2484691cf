/** Fields that several kinds of things in the document have: tags, and how many jobs at once. */
import { Stack, TagsInput, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { DraftBar } from "../../draft/DraftBar";
import { useDraft } from "../../draft/draft";
import { mappingAt, type Step, valueAt } from "../../draft/edits";
import { Card } from "../../parts/Card";
import { OnlyFor } from "../../parts/OnlyFor";
import { put } from "./changes";
import { fieldError } from "./diagnostics";
import { change, TextField } from "./fields";
import { textsOf } from "./policy";

export function TagsField({ path, description }: { path: Step[]; description?: ReactNode }) {
  const { values, diagnostics } = useDraft();
  return (
    <TagsInput
      label="Tags"
      description={description}
      value={textsOf(valueAt(values, path))}
      onChange={(tags) => change(put(values, path, tags.length > 0 ? tags : null), "Set tags")}
      error={fieldError(diagnostics, path)}
      acceptValueOnBlur
    />
  );
}

export function JobsAtOnce({ path, description }: { path: Step[]; description: ReactNode }) {
  return <TextField label="Jobs at once" path={[...path, "parallel_jobs"]} description={description} placeholder="no limit" whole />;
}

export function PolicyTags({ policy }: { policy: string }) {
  return (
    <Card title="Tags">
      <TagsField path={["policies", policy, "tags"]} description="Its jobs and points inherit them, from the next activation on." />
    </Card>
  );
}

/** What the document says of a node, beside flows and policies. */
export function NodeInDocument({ node }: { node: string }) {
  const { values, readable, phase } = useDraft();
  if (phase !== "ready" || !Object.hasOwn(mappingAt(values, ["nodes"]), node)) return null;
  return (
    <OnlyFor activity="environment.change">
      <Card title="In the document" actions={<DraftBar />}>
        <fieldset disabled={!readable} style={{ border: 0, margin: 0, padding: 0 }}>
          <Stack gap="sm">
            <TagsField path={["nodes", node, "tags"]} description="They make groups, and its jobs and points inherit them." />
            <JobsAtOnce path={["nodes", node]} description="Runs, copies onward and the care of repositories; restores never wait." />
            <Text size="sm" c="dimmed">
              Both count from the next activation of a flow that names it.
            </Text>
          </Stack>
        </fieldset>
      </Card>
    </OnlyFor>
  );
}

export function RepositoryInDocument({ repository, delivering }: { repository: string; delivering: number }) {
  const { values, readable, phase } = useDraft();
  if (phase !== "ready" || !Object.hasOwn(mappingAt(values, ["repositories"]), repository)) return null;
  return (
    <OnlyFor activity="environment.change">
      <Card title="Limits" actions={<DraftBar />}>
        <fieldset disabled={!readable} style={{ border: 0, margin: 0, padding: 0 }}>
          <JobsAtOnce path={["repositories", repository]} description={`So many jobs may deliver to it at once; now ${delivering} do. What is followed never waits.`} />
        </fieldset>
      </Card>
    </OnlyFor>
  );
}
