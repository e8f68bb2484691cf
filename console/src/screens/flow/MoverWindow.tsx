/** When a mover may send, and how fast: in words, and as a week of hours. */
import { Button, Group, Modal, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { IconCalendarWeek } from "@tabler/icons-react";
import { useState } from "react";
import { useDraft } from "../../draft/draft";
import { ZONE } from "../../parts/clock";
import { visible } from "../../parts/format";
import { fieldError } from "../policies/diagnostics";
import { moverPath, setMover } from "./changes";
import type { Drawing, DrawnMover } from "./drawing";
import type { Drawer } from "./useDrawing";
import { bytesOf, type Rate, type Week, weekOf, windowOf, windowWords } from "./week";
import { WeekTable } from "./WeekTable";

interface MoverWindowProps {
  drawing: Drawing;
  mover: DrawnMover;
  drawer: Drawer;
}

export function MoverWindow({ drawing, mover, drawer }: MoverWindowProps) {
  const { diagnostics } = useDraft();
  const [open, setOpen] = useState<Week | null>(null);
  const written = mover.fields.window;
  const week = weekOf(written);
  const problem = fieldError(diagnostics, moverPath(drawing.flow, mover.index, "window"));
  const isNew = written === undefined;
  const begin = () => week && setOpen(isNew ? { ...week, zone: ZONE } : week);
  return (
    <Stack gap={4} role="group" aria-label="Window">
      <Text size="sm" fw={500}>
        Window
      </Text>
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {visible(windowWords(written) ?? "always open")}
      </Text>
      {problem && (
        <Text size="xs" c="red">
          {problem}
        </Text>
      )}
      {week === null && (
        <Text size="xs" c="dimmed">
          It says what a week of hours cannot show; change it in the YAML view.
        </Text>
      )}
      <Group gap="xs">
        {week !== null && (
          <Button variant="default" size="xs" leftSection={<IconCalendarWeek size={15} aria-hidden />} onClick={begin}>
            Hours of the week
          </Button>
        )}
        {!isNew && (
          <Button variant="default" size="xs" onClick={() => drawer.apply(setMover(drawing.flow, mover, "window", null))}>
            Always open
          </Button>
        )}
      </Group>
      {open && (
        <WeekDialog
          week={open}
          onClose={() => setOpen(null)}
          onSave={(next) => {
            drawer.apply(setMover(drawing.flow, mover, "window", windowOf(next)));
            setOpen(null);
          }}
        />
      )}
    </Stack>
  );
}

function WeekDialog({ week: before, onClose, onSave }: { week: Week; onClose: () => void; onSave: (week: Week) => void }) {
  const [week, setWeek] = useState(before);
  const [kind, setKind] = useState("closed");
  const [limit, setLimit] = useState(() => before.hours.flat().find((rate) => rate !== "full" && rate !== "closed") ?? "5MB/s");
  const rate: Rate = kind === "limit" ? limit.trim() : kind;
  const isRate = bytesOf(rate) !== null;
  const isNever = week.hours.flat().every((each) => each === "closed");
  return (
    <Modal opened onClose={onClose} title="When this mover may send" size="auto">
      <Stack gap="sm">
        <Group align="flex-end">
          <SegmentedControl
            aria-label="What to paint"
            data={[
              { value: "full", label: "Full" },
              { value: "limit", label: "At most" },
              { value: "closed", label: "Closed" },
            ]}
            value={kind}
            onChange={setKind}
          />
          {kind === "limit" && (
            <TextInput aria-label="Rate" value={limit} w={110} error={!isRate} onChange={(event) => setLimit(event.currentTarget.value)} />
          )}
          <TextInput label="Time zone" value={week.zone} onChange={(event) => setWeek({ ...week, zone: event.currentTarget.value })} />
        </Group>
        <WeekTable week={week} rate={isRate ? rate : "full"} onChange={isRate ? setWeek : () => undefined} />
        <Text size="xs" c="dimmed">
          Click or draw over hours; with the keyboard: arrows, Space, and Shift with an arrow to go on painting. × is closed.
        </Text>
        {isNever && (
          <Text size="sm" c="red">
            It would never be open.
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={isNever} onClick={() => onSave({ ...week, zone: week.zone.trim() || "UTC" })}>
            Set the window
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
