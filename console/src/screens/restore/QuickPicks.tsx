/** The moments that people mostly want, one press each: the latest, yesterday at this time, the last locked point, before a deletion. */
import { Button, Group, Popover, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { formatTime } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import type { Moment } from "./moments";
import { encodeText } from "./paths";

const DAY_MS = 86_400_000;

interface QuickPicksProps {
  dataset: string;
  /** Newest first. */
  points: readonly Moment[];
  latest: string | undefined;
  nowMs: number;
  onPick: (point: string) => void;
  /** What was at a time; false when nothing is as old as that. */
  onTime: (atMs: number) => boolean;
  /** A state and a folder in it, percent-encoded. */
  onShow: (point: string, path: string) => void;
}

export function QuickPicks({ dataset, points, latest, nowMs, onPick, onTime, onShow }: QuickPicksProps) {
  const [isTooOld, setTooOld] = useState(false);
  const locked = lastLocked(points, nowMs);
  return (
    <Group gap={6} px={18} pb={10} role="group" aria-label="Quick picks">
      <Button size="compact-sm" variant="default" disabled={!latest} onClick={() => latest && onPick(latest)}>
        Latest
      </Button>
      <Button size="compact-sm" variant="default" disabled={isTooOld} onClick={() => setTooOld(!onTime(nowMs - DAY_MS))}>
        {isTooOld ? "Nothing is from yesterday" : "Yesterday at this time"}
      </Button>
      {locked && (
        <Button size="compact-sm" variant="default" onClick={() => onPick(locked)}>
          Last locked
        </Button>
      )}
      <BeforeDeletion dataset={dataset} onShow={onShow} />
    </Group>
  );
}

/** The newest point that nothing removes before its time; pure. */
export function lastLocked(points: readonly Moment[], nowMs: number): string | undefined {
  return points.find(({ point }) => point.locked_until !== null && Date.parse(point.locked_until) > nowMs)?.id;
}

function BeforeDeletion({ dataset, onShow }: Pick<QuickPicksProps, "dataset" | "onShow">) {
  const [isOpen, setOpen] = useState(false);
  const [path, setPath] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [refusal, setRefusal] = useState<Schemas["Refusal"] | null>(null);
  const find = async () => {
    setError(null);
    setRefusal(null);
    try {
      const query = { dataset, path: encodeText(path.replace(/\/+$/, "")) };
      const found = await take(client.GET("/api/v1/moments/before-deletion", { params: { query } }));
      const [newest] = [...found.points].sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
      if (newest) onShow(newest.id, query.path.slice(0, query.path.lastIndexOf("/")));
      setRefusal(found.refusal);
      setOpen(found.refusal !== null);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Popover opened={isOpen} onChange={setOpen} width={320} position="bottom-start" trapFocus withinPortal>
      <Popover.Target>
        <Button size="compact-sm" variant="default" onClick={() => setOpen(!isOpen)}>
          Before a deletion …
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void find();
          }}
        >
          <Stack gap="xs">
            <TextInput
              label="File or folder that was deleted"
              placeholder="/srv/documents/letters"
              value={path}
              onChange={(event) => setPath(event.currentTarget.value)}
            />
            {error !== null && <Problem error={error} />}
            {refusal && (
              <Text size="sm">
                The source is refused{refusal.since ? ` since ${formatTime(refusal.since)}` : ""}: {refusal.error.message}. Shown is the last state kept.
              </Text>
            )}
            <Button type="submit" size="compact-sm" disabled={!path.startsWith("/")}>
              Show it as it was
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
