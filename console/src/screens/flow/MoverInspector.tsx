/** One mover: between what, what it carries, and how. */
import { Button, Checkbox, Group, Select, Stack, Text, Title } from "@mantine/core";
import { IconArrowsExchange, IconTrash } from "@tabler/icons-react";
import { useMemo } from "react";
import { useDraft } from "../../draft/draft";
import { visible } from "../../parts/format";
import { State } from "../../parts/State";
import { ChoiceField, TextField } from "../policies/fields";
import { ListField } from "../policies/ListField";
import { textOf } from "../policies/policy";
import { moverPath, setMover, toggle } from "./changes";
import { available, fitting, whyNot } from "./connecting";
import classes from "./draw.module.css";
import { type Drawing, type DrawnMover, needsStream } from "./drawing";
import { MoverWindow } from "./MoverWindow";
import type { Drawer } from "./useDrawing";
import { moverThing } from "./things";

interface MoverInspectorProps {
  drawing: Drawing;
  mover: DrawnMover;
  drawer: Drawer;
}

const COMPRESSION = [
  ["", "As it is best"],
  ["off", "Off"],
  ["max", "As small as can be"],
] as const;
const DIALS = [
  ["", "The start dials the end"],
  ["to", "The end dials the start"],
] as const;
const COUNTS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

export function MoverInspector(props: MoverInspectorProps) {
  const { drawing, mover, drawer } = props;
  const kindOfEnd = (name: string) => drawing.vertices.find((vertex) => vertex.name === name)?.kind;
  const path = moverPath(drawing.flow, mover.index);
  const isCascade = kindOfEnd(mover.from) === "repository";
  return (
    <>
      <div>
        <Title order={2} size="h4">
          {visible(mover.from)} → {visible(mover.to)}
        </Title>
        <span className={classes.kindLine}>
          <IconArrowsExchange size={15} aria-hidden /> mover, {mover.mode === "continuous" ? "moves what changes as it happens" : "moves with every run"}
        </span>
      </div>
      <Ends {...props} />
      <Carries {...props} />
      {!isCascade && <Mode {...props} />}
      <TextField label="Limit" path={[...path, "limit"]} placeholder="none, or 50MB/s" />
      <MoverWindow {...props} />
      <ChoiceField label="Compression on the way" path={[...path, "compression"]} choices={COMPRESSION} />
      {isCascade && <After {...props} />}
      <ListField
        label="Only"
        item="part"
        path={[...path, "only"]}
        description={isCascade ? "Paths, sources or NODE/POLICY. Empty: all that it carries." : "Sources, or NODE/POLICY. Empty: all of them."}
        placeholder={isCascade ? "/srv/documents/contracts" : "files1"}
      />
      {(isCascade || "keep" in mover.fields) && kindOfEnd(mover.to) !== "mirror" && (
        <Stack gap={4} role="group" aria-label="Keep there">
          <Text size="sm" fw={500}>
            Keep there
          </Text>
          <Text size="xs" c="dimmed">
            Empty: as the policy says.
          </Text>
          <div className={classes.counts}>
            {COUNTS.map((rule) => (
              <TextField key={rule} label={rule} path={[...path, "keep", rule]} whole />
            ))}
          </div>
          <TextField label="and all within" path={[...path, "keep", "within"]} placeholder="30d" />
        </Stack>
      )}
      <ChoiceField label="Connection" path={[...path, "dial"]} choices={DIALS} />
      <Group>
        <Button variant="default" size="xs" leftSection={<IconTrash size={15} aria-hidden />} onClick={() => drawer.drop([moverThing(mover)])}>
          Remove the mover
        </Button>
      </Group>
    </>
  );
}

function Ends({ drawing, mover, drawer }: MoverInspectorProps) {
  const rest = useMemo(() => ({ ...drawing, movers: drawing.movers.filter((each) => each !== mover) }), [drawing, mover]);
  const choices = (isFine: (name: string) => boolean, now: string) =>
    [...new Set([now, ...drawing.vertices.map((vertex) => vertex.name).filter(isFine)])].map((name) => ({ value: name, label: visible(name) }));
  const end = (label: string, key: "from" | "to", isFine: (name: string) => boolean) => (
    <Select
      label={label}
      data={choices(isFine, mover[key])}
      value={mover[key]}
      allowDeselect={false}
      limit={100}
      searchable={drawing.vertices.length > 8}
      onChange={(name) => {
        if (name === null || name === mover[key]) return;
        drawer.apply(setMover(drawing.flow, mover, key, name));
        drawer.show(moverThing({ id: key === "from" ? `${name}->${mover.to}` : `${mover.from}->${name}` }));
      }}
    />
  );
  return (
    <Group grow gap="xs" align="flex-start">
      {end("From", "from", (name) => whyNot(rest, name, mover.to) === null)}
      {end("To", "to", (name) => whyNot(rest, mover.from, name) === null)}
    </Group>
  );
}

function Carries({ drawing, mover, drawer }: MoverInspectorProps) {
  const { values } = useDraft();
  const fit = useMemo(() => fitting(values, drawing, mover.from, mover.to), [values, drawing, mover]);
  const there = useMemo(() => available(values, drawing, mover.from), [values, drawing, mover.from]);
  const path = moverPath(drawing.flow, mover.index, "carries");
  const list = Array.isArray(mover.fields.carries) ? [...mover.carries] : null;
  const labels = [...new Set([...fit, ...mover.carries])];
  return (
    <div role="group" aria-label="Carries">
      <Text size="sm" fw={500}>
        Carries
      </Text>
      {labels.map((label) => (
        <Group key={label} gap="xs" mih={30} wrap="nowrap">
          <Checkbox
            label={visible(label)}
            checked={mover.carries.includes(label)}
            onChange={() => drawer.apply(toggle(list, path, label, mover.carries.includes(label) ? `Carry ${label} no more` : `Carry ${label}`))}
          />
          {!fit.includes(label) && <State state="warning" label={there.includes(label) ? "does not fit" : "never arrives"} quiet />}
        </Group>
      ))}
      {labels.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing at {visible(mover.from)} can go to {visible(mover.to)}. Give the source a policy with a fitting operation: backup goes to
          repositories, replicate to mirrors.
        </Text>
      )}
    </div>
  );
}

const MODES = [
  ["", "With every run"],
  ["continuous", "As it changes (continuous)"],
] as const;

/** Free only where nothing that is carried decides it. */
function Mode({ drawing, mover, drawer }: MoverInspectorProps) {
  const { values } = useDraft();
  const because = useMemo(() => needsStream(values, mover.carries), [values, mover]);
  const written = textOf(mover.fields.mode);
  if (because.length > 0 && written !== "batch")
    return (
      <div role="group" aria-label="Moves">
        <Text size="sm" fw={500}>
          Moves as it changes
        </Text>
        <Text size="xs" c="dimmed">
          {because.map(visible).join(", ")} {because.length === 1 ? "needs" : "need"} every change as it happens; so all that this mover carries comes that way.
        </Text>
      </div>
    );
  return (
    <Select
      label="Moves"
      description={written === "continuous" ? "Each change is there a moment later. The source is watched; a full run is made now and then." : "What changed since the last run."}
      data={[...MODES.map(([value, label]) => ({ value, label })), ...(written === "batch" ? [{ value: "batch", label: "With every run (batch)" }] : [])]}
      value={written}
      allowDeselect={false}
      onChange={(mode) => mode !== null && mode !== written && drawer.apply(setMover(drawing.flow, mover, "mode", mode || null))}
    />
  );
}

function After({ drawing, mover }: MoverInspectorProps) {
  const { values } = useDraft();
  const arrived = useMemo(() => available(values, drawing, mover.from), [values, drawing, mover.from]);
  const choices = [["", "with its own schedule"], ...arrived.map((label) => [label, `each ${visible(label)}`] as const)] as const;
  return <ChoiceField label="Run after" path={moverPath(drawing.flow, mover.index, "after")} choices={choices as readonly (readonly [string, string])[]} />;
}
