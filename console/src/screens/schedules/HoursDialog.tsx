/** The windows of a schedule as a week of hours, painted. */
import { Button, Group, Modal, SegmentedControl, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { type Week, windowsOf } from "../flow/week";
import { WeekTable } from "../flow/WeekTable";

interface HoursDialogProps {
  week: Week;
  /** Null: always open. */
  onSave: (windows: string[] | null) => void;
  onClose: () => void;
}

export function HoursDialog({ week: before, onSave, onClose }: HoursDialogProps) {
  const [week, setWeek] = useState(before);
  const [kind, setKind] = useState("closed");
  const windows = windowsOf(week);
  const isNever = windows?.length === 0;
  return (
    <Modal opened onClose={onClose} title="When a run may start" size="auto">
      <Stack gap="sm">
        <SegmentedControl
          aria-label="What to paint"
          data={[
            { value: "full", label: "Open" },
            { value: "closed", label: "Closed" },
          ]}
          value={kind}
          onChange={setKind}
        />
        <WeekTable week={week} rate={kind} onChange={setWeek} />
        <Text size="xs" c="dimmed">
          Click or draw over hours; with the keyboard: arrows, Space, and Shift with an arrow to go on painting. × is closed. The hours are those of zone {week.zone}.
        </Text>
        {isNever && (
          <Text size="sm" c="red" role="alert">
            It would never be open.
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={isNever} onClick={() => onSave(windows)}>
            Set the windows
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
