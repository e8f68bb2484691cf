/** Whether what is stored is tried, and whether somebody looks for its destruction: drills and anomalies of a policy. */
import { Select, SimpleGrid, Stack, Text } from "@mantine/core";
import { useDraft } from "../../draft/draft";
import { isMapping, type Value, valueAt } from "../../draft/edits";
import { Card } from "../../parts/Card";
import { put } from "./changes";
import { fieldError } from "./diagnostics";
import { change, TextField } from "./fields";
import { anomalyWay, type AnomalyWay, drillNodes, type DrillWay, drillWay } from "./watching";

const DRILLS: Record<DrillWay, string> = { off: "Not by itself", on: "A sample, every so often" };
const ANOMALIES: Record<AnomalyWay, string> = {
  hold: "Look, and hold what was before",
  look: "Look, and hold nothing",
  off: "Do not look",
};

export function Watching({ policy }: { policy: string }) {
  return (
    <Card title="Is it restorable, is it being destroyed">
      <Stack gap="lg">
        <Drills path={["policies", policy, "drill"]} />
        <Anomalies path={["policies", policy, "anomaly"]} />
      </Stack>
    </Card>
  );
}

function Drills({ path }: { path: string[] }) {
  const { values, diagnostics } = useDraft();
  const way = drillWay(valueAt(values, path));
  return (
    <Stack gap="sm" role="group" aria-label="Drills">
      <Select
        label="Restore it on trial"
        description="Files of each repository are restored into a scratch folder and compared with what was recorded."
        data={Object.entries(DRILLS).map(([value, label]) => ({ value, label }))}
        value={way}
        allowDeselect={false}
        error={way === "off" ? fieldError(diagnostics, path) : undefined}
        onChange={(chosen) => change(put(values, path, chosen === "on" ? { every: "7d" } : null), "Change drills")}
      />
      {way === "on" && (
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <TextField label="Proven every" path={[...path, "every"]} placeholder="7d" />
          <TextField label="Sample" path={[...path, "sample"]} placeholder="100 files" description="Like 100 files, 1% or all." />
          <TextField label="Check script" path={[...path, "check"]} placeholder="none" description="In the hooks directory of the machine that restores it." />
          <TextField label="Script may take" path={[...path, "timeout"]} placeholder="10m" />
          <NodeField path={[...path, "on"]} />
        </SimpleGrid>
      )}
    </Stack>
  );
}

/** Where it is done: the owner's own machine, or another node. One that is written and not there stays to be seen. */
function NodeField({ path }: { path: string[] }) {
  const { values, diagnostics } = useDraft();
  const data = drillNodes(valueAt(values, ["nodes"]), valueAt(values, path));
  return (
    <Select
      label="On the machine"
      description="Another than the repository's proves that it can be restored there, too."
      data={[{ value: "", label: "of each repository" }, ...data]}
      value={String(valueAt(values, path) ?? "")}
      allowDeselect={false}
      error={fieldError(diagnostics, path)}
      onChange={(node) => change(put(values, path, node || null), "Change where drills are made")}
    />
  );
}

function Anomalies({ path }: { path: string[] }) {
  const { values, diagnostics } = useDraft();
  const written = valueAt(values, path);
  const way = anomalyWay(written);
  const beginnings: Record<AnomalyWay, Value> = { hold: null, look: { hold: "off" }, off: "off" };
  return (
    <Stack gap="sm" role="group" aria-label="Anomalies">
      <Select
        label="When files are encrypted, renamed or removed in mass"
        description="The owner of each repository compares each new state with the one before, and tells."
        data={Object.entries(ANOMALIES).map(([value, label]) => ({ value, label }))}
        value={way}
        allowDeselect={false}
        error={isMapping(written) ? undefined : fieldError(diagnostics, path)}
        onChange={(chosen) => change(put(values, path, beginnings[chosen as AnomalyWay]), "Change what is looked for")}
      />
      {way === "hold" && <TextField label="Hold for" path={[...path, "hold"]} placeholder="7d" description="So long no keep rule lets go what was there before." />}
      {way === "off" && (
        <Text size="xs" c="dimmed">
          Nothing tells when its files are being destroyed, and keep rules let the good points go.
        </Text>
      )}
    </Stack>
  );
}
