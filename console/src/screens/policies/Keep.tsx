/** Which points stay: the rules as numbers, templates for them, and the calendar of what they would leave. */
import { Button, Group, Menu, Stack, Text } from "@mantine/core";
import { IconTemplate } from "@tabler/icons-react";
import { useDraft } from "../../draft/draft";
import { isMapping, remove, set, type Step } from "../../draft/edits";
import { State } from "../../parts/State";
import { change, TextField } from "./fields";
import { KeepCalendar } from "./KeepCalendar";
import classes from "./policies.module.css";
import type { Fields, Operation, Policy } from "./policy";
import { timesOf } from "./rhythm";
import { COUNTED, keepWords } from "./words";

const TEMPLATES: readonly (readonly [string, Fields | null])[] = [
  ["A week of days", { daily: 7 }],
  ["A month of days", { daily: 30 }],
  ["Grandfather, father, son", { daily: 7, weekly: 4, monthly: 12 }],
  ["Fine at first, then coarse", { hourly: 24, daily: 30, monthly: 12, yearly: 7 }],
  ["Everything of two weeks", { within: "14d" }],
  ["Every point, for ever", null],
];

const TITLES: Record<(typeof COUNTED)[number], string> = {
  last: "Newest",
  hourly: "Hourly",
  daily: "Daily",
  weekly: "Weekly",
  monthly: "Monthly",
  yearly: "Yearly",
};

export function Keep({ policy, operation }: { policy: Policy; operation: Operation }) {
  const { values } = useDraft();
  const path = ["policies", policy.name, "operations", operation.name, "keep"];
  const keep = isMapping(operation.fields.keep) ? operation.fields.keep : {};
  const times = timesOf(values, policy, operation.name);
  return (
    <div role="group" aria-label={`Points of ${operation.name} that stay`}>
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <div>
            <Text fw={600} size="sm">
              Points that stay
            </Text>
            <Text size="xs" c="dimmed">
              A point stays as long as any of these keeps it: the newest of each of so many hours, days, weeks, months, years.
            </Text>
          </div>
          <Templates path={path} isSet={operation.fields.keep !== undefined} />
        </Group>
        <div className={classes.keep}>
          {COUNTED.map((rule) => (
            <TextField key={rule} label={TITLES[rule]} path={[...path, rule]} placeholder="none" whole />
          ))}
          <TextField label="All within" path={[...path, "within"]} placeholder="none" />
        </div>
        {Object.keys(keep).length === 0 && (
          <Text size="sm" component="div">
            <State state="warning" label="keeps everything" /> Every point stays for ever, so the repository only grows. Choose a template, or
            give at least one number.
          </Text>
        )}
        {times ? (
          <KeepCalendar keep={keep} times={times} name={operation.name} />
        ) : (
          <Text size="sm" c="dimmed">
            Nothing says how often this runs, so there is no calendar of what would stay. Give it a schedule.
          </Text>
        )}
      </Stack>
    </div>
  );
}

function Templates({ path, isSet }: { path: Step[]; isSet: boolean }) {
  const take = (title: string, keep: Fields | null) =>
    change(keep ? [set(path, keep)] : isSet ? [remove(path)] : [], `Keep: ${title.toLowerCase()}`);
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" variant="default" leftSection={<IconTemplate size={16} aria-hidden />}>
          Use a template
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {TEMPLATES.map(([title, keep]) => (
          <Menu.Item key={title} onClick={() => take(title, keep)}>
            {title}
            {keep && (
              <Text size="xs" c="dimmed">
                {keepWords(keep)}
              </Text>
            )}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
