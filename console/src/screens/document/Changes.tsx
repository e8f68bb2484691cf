/** What the working copy has that is not stored yet. */
import { Button, Stack, Text } from "@mantine/core";
import { IconArrowBackUp, IconChecks } from "@tabler/icons-react";
import type { Schemas } from "../../api/client";
import { ChangeList } from "../../draft/ChangeList";
import { DiagnosticList } from "../../draft/DiagnosticList";
import { DiffView } from "../../draft/DiffView";
import { type Diagnostic, discard, isDirty, useDraft } from "../../draft/draft";
import { useBusy } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { visible } from "../../parts/format";
import { sayDone } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import { usePlanned } from "./usePlanned";

export function Changes() {
  const draft = useDraft();
  const { busy, attempt } = useBusy();
  if (!isDirty(draft))
    return (
      <Card>
        <Empty icon={IconChecks} title="Everything is saved">
          What you change, in the drawing or here, is shown in this place until you save it. Until then nothing of it is stored, and no node acts by it.
        </Empty>
      </Card>
    );
  const drop = () =>
    attempt(async () => {
      await discard();
      sayDone("Your edits are gone from the text", "Undo brings them back.");
    });
  return (
    <Stack gap="md">
      <Card
        title={`Since revision ${draft.baseRevision}`}
        actions={
          <Button size="xs" variant="default" loading={busy} leftSection={<IconArrowBackUp size={15} aria-hidden />} onClick={() => void drop()}>
            Drop my edits
          </Button>
        }
      >
        <ChangeList changes={draft.changes} none={draft.valid ? "Nothing but comments or spacing." : "This is known when the text can be read."} />
      </Card>
      <FlowErrors text={draft.text} revision={draft.newer?.revision ?? draft.baseRevision} />
      <Card title="Line by line">
        <DiffView before={draft.baseText} after={draft.text} label="Lines that are not saved yet" />
      </Card>
    </Stack>
  );
}

/** It can be saved all the same; the canvas tells of one flow, this of all. */
function FlowErrors({ text, revision }: { text: string; revision: number }) {
  const { data, error, refetch } = usePlanned(text, revision);
  if (error) return <Problem error={error} onRetry={() => void refetch()} />;
  if (!data?.flow_errors.length && !data?.untried_flows.length) return null;
  return (
    <Card title="What keeps its flows from being activated">
      {byFlows(data.flow_errors).map(([flows, errors]) => (
        <section key={flows} aria-label={flows}>
          <Text size="sm" fw={600}>
            {flows}
          </Text>
          <DiagnosticList diagnostics={errors} />
        </section>
      ))}
      {data.untried_flows.length > 0 && (
        <Text size="sm" c="dimmed">
          Not looked at, for there are too many: {named(data.untried_flows)}. Each tells of its errors where it is drawn.
        </Text>
      )}
    </Card>
  );
}

function byFlows(found: readonly Schemas["FlowError"][]): [string, Diagnostic[]][] {
  const groups = new Map<string, Diagnostic[]>();
  for (const { flows, error } of found) {
    const name = named(flows);
    groups.set(name, [...(groups.get(name) ?? []), error]);
  }
  return [...groups];
}

const named = (flows: readonly string[]): string => flows.map(visible).join(", ");
