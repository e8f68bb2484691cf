/** Change points: say what, see what would become of each and why, then do it. */
import { Alert, Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { keys } from "../../api/queries";
import { useTrying } from "../../parts/acting";
import { Copyable } from "../../parts/Equivalent";
import { counted, formatTime, visible } from "../../parts/format";
import { sayDone } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import { State, type StateName } from "../../parts/State";
import { type Column, VirtualTable } from "../../parts/VirtualTable";
import { ChangeForm } from "./ChangeForm";
import { askChange, type ChangeKind, cliOf, EMPTY_WISH, outcomeCounts, planWords, TITLES, type Wish, wishProblem } from "./changing";
import type { Point } from "./figures";
import { rowKeyOf } from "./marks";

export type { ChangeKind };
type Changed = Schemas["ChangedPoint"];

interface ChangePointsProps {
  kind: ChangeKind;
  repository: string;
  points: readonly Point[];
  onDone: () => void;
  onClose: () => void;
}

export function ChangePoints({ kind, repository, points, onDone, onClose }: ChangePointsProps) {
  const [wish, setWish] = useState<Wish>(EMPTY_WISH);
  const [left, setLeft] = useState<readonly Point[]>(points);
  const [plan, setPlan] = useState<readonly Changed[] | null>(null);
  const { busy, error, attempt } = useTrying();
  const [typed, setTyped] = useState("");
  const queries = useQueryClient();
  const problem = wishProblem(kind, wish);

  const ask = async (these: readonly Point[], isDry: boolean) => {
    await attempt(async () => {
      const answer = await askChange(kind, wish, these.map((point) => point.id), repository, isDry);
      if (isDry) setPlan(answer.changes);
      else {
        sayDone(planWords(kind, outcomeCounts(answer.changes), true));
        onDone();
        onClose();
      }
    });
    if (isDry) return;
    void queries.invalidateQueries({ queryKey: keys.points });
    void queries.invalidateQueries({ queryKey: keys.repositories });
  };
  const leaveOut = () => {
    const staying = new Set((plan ?? []).filter((change) => change.outcome === "stays").map((change) => change.point.id));
    const these = left.filter((point) => !staying.has(point.id));
    setLeft(these);
    if (these.length > 0) void ask(these, true);
    else onClose();
  };
  const counts = outcomeCounts(plan ?? []);
  const isLoss = kind === "forget";
  const canDo = plan !== null && counts.stays === 0 && counts.changed + counts.forgotten > 0 && (!isLoss || typed === repository);

  return (
    <Modal opened onClose={onClose} title={`${TITLES[kind]} ${counted(left.length, "point")}`} size="xl">
      <Stack gap="sm">
        {plan === null ? <ChangeForm kind={kind} wish={wish} onWish={setWish} /> : <Plan kind={kind} plan={plan} />}
        {error !== null && <Problem error={error} />}
        {canAskName(isLoss, plan, counts) && (
          <TextInput label={`Type ${visible(repository)} to go on`} value={typed} onChange={(event) => setTyped(event.currentTarget.value)} autoComplete="off" />
        )}
        <Copyable text={cliOf(kind, wish, left, repository)} what="command" />
        <Group justify="flex-end">
          <Button variant="default" onClick={plan === null ? onClose : () => setPlan(null)}>
            {plan === null ? "Cancel" : "Back"}
          </Button>
          {plan === null && (
            <Button loading={busy} disabled={problem !== ""} title={problem || undefined} onClick={() => void ask(left, true)}>
              Look what would become of them
            </Button>
          )}
          {plan !== null && counts.stays > 0 && (
            <Button variant="default" loading={busy} onClick={leaveOut}>
              Leave out what stays
            </Button>
          )}
          {plan !== null && (
            <Button color={isLoss ? "red" : "blue"} loading={busy} disabled={!canDo} onClick={() => void ask(left, false)}>
              {TITLES[kind]} {counted(counts.changed + counts.forgotten, "point")}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function canAskName(isLoss: boolean, plan: readonly Changed[] | null, counts: { stays: number; forgotten: number }): boolean {
  return isLoss && plan !== null && counts.stays === 0 && counts.forgotten > 0;
}

const OUTCOMES: Record<Changed["outcome"], [StateName, string]> = {
  changed: ["ok", "changes"],
  forgotten: ["failed", "goes"],
  unchanged: ["off", "as it is"],
  stays: ["warning", "stays"],
};

const COLUMNS: Column<Changed>[] = [
  {
    key: "outcome",
    title: "What",
    width: "100px",
    sortBy: (change) => change.outcome,
    cell: ({ outcome }) => <State state={OUTCOMES[outcome][0]} label={OUTCOMES[outcome][1]} quiet />,
  },
  { key: "time", title: "Point", width: "160px", sortBy: ({ point }) => point.time, cell: ({ point }) => formatTime(point.time) },
  { key: "dataset", title: "Dataset", width: "minmax(150px, 1.2fr)", wide: true, cell: ({ point }) => `${visible(point.dataset)} ${visible(point.operation)}` },
  { key: "why", title: "Afterwards, or why", width: "minmax(120px, 1.6fr)", cell: (change) => <span title={after(change)}>{after(change)}</span> },
];

function Plan({ kind, plan }: { kind: ChangeKind; plan: readonly Changed[] }) {
  const counts = outcomeCounts(plan);
  return (
    <>
      <Alert role="status" variant="light" color={counts.stays > 0 || kind === "forget" ? "yellow" : "blue"} title="Nothing is changed yet">
        <Text size="sm">{planWords(kind, counts, false)}</Text>
      </Alert>
      <VirtualTable
        label="What would become of each point"
        rows={[...plan].sort((a, b) => Number(b.outcome === "stays") - Number(a.outcome === "stays"))}
        columns={COLUMNS}
        rowKey={({ point }) => rowKeyOf(point)}
        maxHeight="36vh"
      />
    </>
  );
}

function after({ point, outcome, why }: Changed): string {
  if (outcome !== "changed") return visible(why);
  const parts = [
    point.locked_until ? `locked until ${formatTime(point.locked_until)}` : "",
    point.expires_at ? `expires ${formatTime(point.expires_at)}` : "",
    point.tags.length > 0 ? `tags: ${point.tags.map(visible).join(", ")}` : "",
  ];
  return parts.filter(Boolean).join("; ") || "without tags and ends";
}
