/** Theirs and mine side by side; where both changed the same thing, one chooses. */
import { Button, Group, Loader, Modal, Radio, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import { counted, visible } from "../parts/format";
import { Problem } from "../parts/Problem";
import { ChangeList } from "./ChangeList";
import classes from "./ConflictBanner.module.css";
import type { Draft } from "./draft";
import { type Conflict, type Side, shownValue } from "./merging";
import { type Merged, takeTheirs, useMerge } from "./useMerge";

interface ConflictDialogProps {
  newer: NonNullable<Draft["newer"]>;
  onClose: () => void;
}

export function ConflictDialog({ newer, onClose }: ConflictDialogProps) {
  const { merged, accept, isTaking } = useMerge(newer.revision);
  const [chosen, setChosen] = useState<ReadonlyMap<number, Side>>(new Map());
  const found = merged.data;
  return (
    <Modal opened onClose={onClose} size="xl" title={`${visible(newer.author)} saved revision ${newer.revision}`}>
      <Stack gap="md">
        {merged.isPending && <Loader aria-label="Comparing" mx="auto" />}
        {merged.error && <Problem error={merged.error} onRetry={() => void merged.refetch()} />}
        {found && <Sides merged={found} author={visible(newer.author)} />}
        {found && !found.clean && <Conflicts conflicts={found.conflicts} chosen={chosen} onChoose={setChosen} />}
        {found && !found.valid && (
          <Text size="sm">Put together, the text has problems of its own. You can take it and mend them before you save.</Text>
        )}
        <Text size="sm" c="dimmed">
          Whatever you choose, your text as it is now stays one step back: Undo brings it again.
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Later
          </Button>
          <Button variant="default" onClick={() => void takeTheirs().then(onClose)}>
            Take theirs and drop mine
          </Button>
          {found && (
            <Button loading={isTaking} onClick={() => void accept(found, chosen).then((done) => done && onClose())} data-autofocus>
              {found.clean ? "Take both" : "Take both, as chosen"}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

function Sides({ merged, author }: { merged: Merged; author: string }) {
  const none = "Nothing but comments or spacing.";
  return (
    <div className={classes.sides}>
      <section className={classes.side} tabIndex={0} aria-label={`What ${author} changed`}>
        <Title order={3}>{author} changed</Title>
        <ChangeList changes={merged.theirs} none={none} />
      </section>
      <section className={classes.side} tabIndex={0} aria-label="What you changed">
        <Title order={3}>You changed</Title>
        <ChangeList changes={merged.mine} none={none} />
      </section>
    </div>
  );
}

interface ConflictsProps {
  conflicts: readonly Conflict[];
  chosen: ReadonlyMap<number, Side>;
  onChoose: (chosen: ReadonlyMap<number, Side>) => void;
}

function Conflicts({ conflicts, chosen, onChoose }: ConflictsProps) {
  const all = (side: Side) => onChoose(new Map(conflicts.map((_, index) => [index, side])));
  return (
    <section aria-label="What both changed">
      <Group justify="space-between" mb={6}>
        <Title order={3}>Both changed {counted(conflicts.length, "thing")}</Title>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" onClick={() => all("mine")}>
            All mine
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => all("theirs")}>
            All theirs
          </Button>
        </Group>
      </Group>
      {conflicts.map((conflict, index) => (
        <Choice
          key={index}
          conflict={conflict}
          side={chosen.get(index) ?? "mine"}
          onChoose={(side) => onChoose(new Map(chosen).set(index, side))}
        />
      ))}
    </section>
  );
}

function Choice({ conflict, side, onChoose }: { conflict: Conflict; side: Side; onChoose: (side: Side) => void }) {
  const path = visible(conflict.path.join(" › "));
  return (
    <div className={classes.conflict}>
      <Radio.Group value={side} onChange={(value) => onChoose(value as Side)} label={<span className={classes.path}>{path}</span>}>
        <Text size="xs" c="dimmed">
          was {visible(shownValue(conflict.base))}
        </Text>
        <div className={classes.choices}>
          <Radio value="theirs" label={<Value word="Theirs" value={conflict.theirs} />} />
          <Radio value="mine" label={<Value word="Mine" value={conflict.mine} />} />
        </div>
      </Radio.Group>
    </div>
  );
}

function Value({ word, value }: { word: string; value: unknown }) {
  return (
    <>
      {word}: <span className={classes.value}>{visible(shownValue(value))}</span>
    </>
  );
}
