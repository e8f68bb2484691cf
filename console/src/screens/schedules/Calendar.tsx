/** A calendar that can be turned, by week or month, and what the hour or day says that is chosen in it. */
import { ActionIcon, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { dayTitle } from "../policies/calendar";
import { type Filling, turned, type View } from "./hours";
import { Grid, type Place } from "./Grid";
import classes from "./schedules.module.css";

interface CalendarProps {
  label: string;
  /** Whose clock it is, in words. */
  zone: string;
  filling: Filling;
  view: View;
  at: Place;
  today: Place;
  onView: (view: View) => void;
  onAt: (at: Place) => void;
  stale?: boolean;
  legend: ReactNode;
  /** What is said of the chosen hour or day. */
  children: ReactNode;
}

export function Calendar({ label, zone, filling, view, at, today, onView, onAt, stale = false, legend, children }: CalendarProps) {
  const turn = (pages: number) => onAt({ ...at, date: turned(view, at.date, pages) });
  return (
    <Stack gap="sm" className={stale ? classes.stale : undefined} aria-busy={stale}>
      <Group gap="xs">
        <SegmentedControl
          aria-label={`${label}: by`}
          data={[
            { value: "week", label: "Week" },
            { value: "month", label: "Month" },
          ]}
          value={view}
          onChange={(chosen) => onView(chosen as View)}
        />
        <ActionIcon variant="default" size="lg" aria-label={`The ${view} before`} onClick={() => turn(-1)}>
          <IconChevronLeft size={18} aria-hidden />
        </ActionIcon>
        <ActionIcon variant="default" size="lg" aria-label={`The ${view} after`} onClick={() => turn(1)}>
          <IconChevronRight size={18} aria-hidden />
        </ActionIcon>
        <Button variant="default" onClick={() => onAt(today)}>
          Today
        </Button>
        <Text size="sm" c="dimmed">
          {zone}
        </Text>
      </Group>
      <Grid label={label} view={view} filling={filling} at={at} today={today.date} onAt={onAt} />
      <div className={classes.legend}>{legend}</div>
      <div className={classes.told} aria-live="polite">
        <Text size="sm" fw={600}>
          {dayTitle(at.date)}
          {view === "week" && `, ${String(at.hour).padStart(2, "0")}:00`}
        </Text>
        {children}
      </div>
    </Stack>
  );
}
