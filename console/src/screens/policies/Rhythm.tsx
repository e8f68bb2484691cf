/** When an operation runs: often enough, at times, by a named schedule, after another one, or with every run. */
import { Select, SimpleGrid, Stack } from "@mantine/core";
import { useDraft } from "../../draft/draft";
import { type Edit, isMapping, mappingAt, remove, set, type Step, type Value } from "../../draft/edits";
import { change, ChoiceField, TextField } from "./fields";
import { ListField } from "./ListField";
import type { Operation, Policy } from "./policy";
import { type Rhythm as Kind, rhythmOf } from "./words";

const WAYS: Record<Kind, string> = {
  every: "Every so often",
  at: "At times of day",
  schedule: "By a named schedule",
  after: "After another operation",
  rides: "With every other run of this policy",
};

const EXPLAINED: Record<Kind, string> = {
  every: "A run begins at the latest when this time is over.",
  at: "A time that was missed is made up for once.",
  schedule: "Windows and times that several operations share.",
  after: "As soon as a run of the other one has ended.",
  rides: "The data is picked up once for all; this one takes part whenever another runs.",
};

interface RhythmProps {
  policy: Policy;
  operation: Operation;
  /** There is room for fields beside each other. */
  wide?: boolean;
}

export function Rhythm({ policy, operation, wide = false }: RhythmProps) {
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
      <SimpleGrid cols={{ base: 1, md: wide ? 3 : 1 }} spacing="sm">
        <Select
          label="Runs"
          description={EXPLAINED[kind]}
          data={ways.map((way) => ({ value: way, label: WAYS[way] }))}
          value={kind}
          allowDeselect={false}
          onChange={(way) => change(changed(operation, path, way as Kind, begin[way as Kind]), `Change when ${operation.name} runs`)}
        />
        {kind === "every" && (
          <TextField label="Every" path={[...path, "every"]} placeholder="1h" description="At most this much may be lost." />
        )}
        {kind === "after" && <ChoiceField label="After" path={[...path, "after"]} choices={others.map((name) => [name, name] as const)} />}
        {hasTimes && !isMapping(operation.fields.schedule) && (schedules.length > 0 || operation.fields.schedule !== undefined) && (
          <ChoiceField
            label="Schedule"
            path={[...path, "schedule"]}
            description="Says when a run may start; its times count too."
            choices={[["", "None: whenever it is due"], ...schedules.map((name) => [name, name] as const)]}
          />
        )}
      </SimpleGrid>
      {(kind === "at" || operation.fields.at !== undefined) && (
        <ListField label="Times of day" item="time" path={[...path, "at"]} placeholder="02:30" description="By the schedule's zone, else UTC." maw={360} />
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
