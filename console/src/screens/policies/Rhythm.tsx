/** When an operation runs: often enough, at times, by a named schedule, after another one, or with every run. */
import { Group, Select, Stack, Text } from "@mantine/core";
import { useDraft } from "../../draft/draft";
import { type Edit, mappingAt, remove, set, type Step, type Value } from "../../draft/edits";
import { change, ChoiceField, TextField } from "./fields";
import { ListField } from "./ListField";
import type { Operation, Policy } from "./policy";
import { type Rhythm as Kind, rhythmOf } from "./words";

const WAYS: Record<Kind, string> = {
  every: "Often: a time at most between two runs",
  at: "At times of day",
  schedule: "By a named schedule",
  after: "After another operation",
  rides: "With every other run of this policy",
};

export function Rhythm({ policy, operation }: { policy: Policy; operation: Operation }) {
  const { values } = useDraft();
  const path = ["policies", policy.name, "operations", operation.name];
  const schedules = Object.keys(mappingAt(values, ["schedules"]));
  const others = policy.operations.map((each) => each.name).filter((name) => name !== operation.name);
  const kind = rhythmOf(operation.fields);
  const ways = (Object.keys(WAYS) as Kind[]).filter(
    (way) => way === kind || ((way !== "schedule" || schedules.length > 0) && (way !== "after" || others.length > 0)),
  );
  const begin: Record<Kind, [string, Value] | null> = {
    every: ["every", "1h"],
    at: ["at", ["02:00"]],
    schedule: ["schedule", schedules[0] ?? ""],
    after: ["after", others[0] ?? ""],
    rides: null,
  };
  const hasTimes = kind === "every" || kind === "at" || kind === "schedule";
  return (
    <Stack gap="sm">
      <Select
        label="Runs"
        data={ways.map((way) => ({ value: way, label: WAYS[way] }))}
        value={kind}
        allowDeselect={false}
        onChange={(way) => change(changed(operation, path, way as Kind, begin[way as Kind]), `Change when ${operation.name} runs`)}
      />
      <Group align="flex-start" grow>
        {kind === "every" && (
          <TextField label="Every" path={[...path, "every"]} placeholder="1h" description="At most this much may be lost. Like 15m, 1h, 1d." />
        )}
        {kind === "after" && <ChoiceField label="After" path={[...path, "after"]} choices={others.map((name) => [name, name] as const)} />}
        {hasTimes && (schedules.length > 0 || operation.fields.schedule !== undefined) && (
          <ChoiceField
            label="Schedule"
            path={[...path, "schedule"]}
            description="Its windows say when a run may start; its times count too."
            choices={[["", "None: whenever it is due"], ...schedules.map((name) => [name, name] as const)]}
          />
        )}
      </Group>
      {(kind === "at" || operation.fields.at !== undefined) && (
        <ListField label="Times of day" item="time" path={[...path, "at"]} placeholder="02:30" description="By the schedule's zone, else UTC." />
      )}
      {kind === "rides" && (
        <Text size="sm" c="dimmed">
          The data is picked up once for all operations of a policy. This one takes part whenever another one runs.
        </Text>
      )}
    </Stack>
  );
}

/** Another way in one step; windows of a schedule stay where the new way may have them. */
function changed(operation: Operation, path: Step[], way: Kind, begin: [string, Value] | null): Edit[] {
  const keeps = way === "every" || way === "at" ? ["schedule", begin?.[0]] : [begin?.[0]];
  const gone = ["every", "at", "schedule", "after"].filter((key) => key in operation.fields && !keeps.includes(key));
  const edits = gone.map((key) => remove([...path, key]));
  return begin && !(begin[0] in operation.fields) ? [...edits, set([...path, begin[0]], begin[1])] : edits;
}
