/** The keys of a schedule, as fields of the working copy. */
import { Button, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconCalendarPlus, IconCalendarWeek } from "@tabler/icons-react";
import { useState } from "react";
import { useDraft } from "../../draft/draft";
import { set, type Step, valueAt } from "../../draft/edits";
import { Card } from "../../parts/Card";
import { type Week, weekOf } from "../flow/week";
import { put } from "../policies/changes";
import { change, ChoiceField, TextField } from "../policies/fields";
import { addItem, ListField } from "../policies/ListField";
import { textOf, textsOf } from "../policies/policy";
import { HoursDialog } from "./HoursDialog";
import { ItemDialog } from "./ItemDialog";
import type { ListKey, Schedule } from "./schedules";

const LISTS: readonly { key: ListKey; label: string; item: string; title: string; placeholder: string; description: string }[] = [
  { key: "windows", label: "Windows", item: "window", title: "Add a window", placeholder: "mon-fri 20:00-06:00", description: "When a run that its RPO asks for may start. None: always." },
  { key: "exclude", label: "Exclusions", item: "exclusion", title: "Add an exclusion", placeholder: "last sun 02:00-08:00", description: "When no run may start, by RPO or trigger time." },
  { key: "at", label: "Trigger times", item: "trigger time", title: "Add a trigger time", placeholder: "first sat 01:00", description: "A run starts at each, whatever the windows say." },
];

export function Times({ schedule: { name, fields } }: { schedule: Schedule }) {
  const path = ["schedules", name];
  return (
    <Card title="When runs start">
      <Stack gap="lg">
        {LISTS.map((list) => (
          <div key={list.key}>
            <ListField label={list.label} item={list.item} path={[...path, list.key]} placeholder={list.placeholder} description={list.description} />
            <Group gap="xs" mt={6}>
              <Choose path={[...path, list.key]} list={list} />
              {list.key === "windows" && <PaintHours path={[...path, "windows"]} zone={textOf(fields.zone) || "UTC"} />}
            </Group>
          </div>
        ))}
        <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="sm">
          <TextField label="Time zone" path={[...path, "zone"]} placeholder="UTC" description="Of all these times." />
          <ChoiceField
            label="Missed trigger times"
            path={[...path, "missed"]}
            description="While the node could not run."
            choices={[
              ["", "One run for all of them"],
              ["skip", "Left out"],
            ]}
          />
          <TextField label="Jitter" path={[...path, "jitter"]} placeholder="10m" description="What would begin at once is spread over so much." />
        </SimpleGrid>
      </Stack>
    </Card>
  );
}

function Choose({ path, list }: { path: Step[]; list: (typeof LISTS)[number] }) {
  const { values } = useDraft();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button variant="default" size="xs" leftSection={<IconCalendarPlus size={15} aria-hidden />} onClick={() => setOpen(true)}>
        {list.title} by choosing …
      </Button>
      {isOpen && (
        <ItemDialog
          title={list.title}
          list={list.key}
          onClose={() => setOpen(false)}
          onAdd={(text) => {
            setOpen(false);
            change(addItem(textsOf(valueAt(values, path)), path, text), `Add ${list.item} ${text}`);
          }}
        />
      )}
    </>
  );
}

function PaintHours({ path, zone }: { path: Step[]; zone: string }) {
  const { values } = useDraft();
  const [open, setOpen] = useState<Week | null>(null);
  const week = weekOf(valueAt(values, path));
  if (week === null)
    return (
      <Text size="xs" c="dimmed">
        They say what a week of hours cannot show.
      </Text>
    );
  return (
    <>
      <Button variant="default" size="xs" leftSection={<IconCalendarWeek size={15} aria-hidden />} onClick={() => setOpen({ ...week, zone })}>
        Hours of the week
      </Button>
      {open && (
        <HoursDialog
          week={open}
          onClose={() => setOpen(null)}
          onSave={(windows) => {
            setOpen(null);
            change(windows === null ? put(values, path, null) : [set(path, windows)], "Paint the windows");
          }}
        />
      )}
    </>
  );
}
