/** A window, an exclusion or a trigger time, chosen in place of typed: days of weeks, weeks of the month, days of the month, and a time. */
import { Checkbox, Code, Group, Input, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { FormDialog } from "../../parts/FormDialog";
import { WEEKDAYS } from "../policies/calendar";
import { type Item, itemProblems, itemText, type ListKey, WEEKS } from "./schedules";

const EMPTY: Item = { days: "every", weeks: [], weekdays: [], monthdays: "", begin: "", end: "" };
const WEEK_WORDS: Record<string, string> = { first: "first (days 1 to 7)", last: "last (the last 7 days)" };

interface ItemDialogProps {
  title: string;
  list: ListKey;
  onAdd: (text: string) => void;
  onClose: () => void;
}

export function ItemDialog({ title, list, onAdd, onClose }: ItemDialogProps) {
  const [item, setItem] = useState(EMPTY);
  const [isAsked, setAsked] = useState(false);
  const problems = itemProblems(item, list);
  const isReady = Object.keys(problems).length === 0;
  const shown = isAsked ? problems : {};
  const put = (more: Partial<Item>) => setItem((before) => ({ ...before, ...more }));
  return (
    <FormDialog
      title={title}
      gap="md"
      action="Add it"
      onSubmit={() => {
        setAsked(true);
        if (isReady) onAdd(itemText(item, list));
      }}
      onClose={onClose}
    >
      <SegmentedControl
        aria-label="Which days"
        data={[
          { value: "every", label: "Every day" },
          { value: "week", label: "Days of weeks" },
          { value: "month", label: "Days of the month" },
        ]}
        value={item.days}
        onChange={(days) => put({ days: days as Item["days"] })}
      />
      {item.days === "week" && <WeekDays item={item} put={put} error={shown.days} />}
      {item.days === "month" && (
        <TextInput
          label="Days of the month"
          placeholder="1, 15, last"
          description="A month that has no such day is left out; last is in every month."
          value={item.monthdays}
          error={shown.monthdays}
          onChange={(event) => put({ monthdays: event.currentTarget.value })}
          autoComplete="off"
        />
      )}
      <Group align="flex-start" grow>
        <TimeField label={list === "at" ? "At" : "From"} value={item.begin} error={shown.begin} onChange={(begin) => put({ begin })} />
        {list !== "at" && <TimeField label="To" value={item.end} error={shown.end} onChange={(end) => put({ end })} />}
      </Group>
      <Text size="sm" c="dimmed">
        {list === "at" ? "By the clocks of the schedule's zone." : "Without times, the whole day. A window that ends earlier than it begins reaches into the next day."}
      </Text>
      {isReady && (
        <Text size="sm" aria-live="polite">
          It is written as <Code>{itemText(item, list)}</Code>
        </Text>
      )}
    </FormDialog>
  );
}

function WeekDays({ item, put, error }: { item: Item; put: (more: Partial<Item>) => void; error: string | undefined }) {
  return (
    <>
      <Checkbox.Group
        label="Days"
        description="None: all seven."
        value={item.weekdays.map(String)}
        onChange={(days) => put({ weekdays: days.map(Number) })}
      >
        <Group gap="sm" mt="xs">
          {WEEKDAYS.map((day, index) => (
            <Checkbox key={day} value={String(index)} label={day} />
          ))}
        </Group>
      </Checkbox.Group>
      <Checkbox.Group label="Weeks of the month" description="None: every week." value={[...item.weeks]} onChange={(weeks) => put({ weeks })}>
        <Group gap="sm" mt="xs">
          {WEEKS.map((week) => (
            <Checkbox key={week} value={week} label={WEEK_WORDS[week] ?? week} />
          ))}
        </Group>
      </Checkbox.Group>
      {error && <Input.Error role="alert">{error}</Input.Error>}
    </>
  );
}

function TimeField({ label, value, error, onChange }: { label: string; value: string; error: string | undefined; onChange: (time: string) => void }) {
  return (
    <TextInput
      label={label}
      placeholder="20:00"
      value={value}
      error={error}
      onChange={(event) => onChange(event.currentTarget.value.trim())}
      autoComplete="off"
      spellCheck={false}
    />
  );
}
