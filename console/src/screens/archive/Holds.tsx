/** Legal holds: nothing at or below their paths expires. */
import { Button, Code, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { keys, queryClient } from "../../api/queries";
import { useTrying } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { useNow } from "../../parts/clock";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { Copyable } from "../../parts/Equivalent";
import { counted, formatBytes, shellWord, visible } from "../../parts/format";
import { FormDialog } from "../../parts/FormDialog";
import { Moment } from "../../parts/Moment";
import { sayDone } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import { Unreachable } from "../../parts/Unreachable";
import { decodedPath, encodeText } from "../restore/paths";
import { freedBy, type Hold } from "./archive";
import classes from "./archive.module.css";
import { useVersions } from "./useArchive";

type Gaps = readonly Schemas["Unreachable"][];
/** What is asked of all owners. Whoever does not answer is told of, because the others have done it. */
type Ask = () => Promise<{ unreachable: Gaps }>;

export function Holds({ dataset, holds }: { dataset: string; holds: readonly Hold[] }) {
  const [isHolding, setHolding] = useState(false);
  const [released, setReleased] = useState<Hold | null>(null);
  const [gaps, setGaps] = useState<{ rows: Gaps; what: string }>({ rows: [], what: "" });
  const change = useChange((rows, what) => setGaps({ rows, what }));
  return (
    <Card
      title={`Legal holds on ${visible(dataset)}`}
      actions={
        <Button size="xs" variant="default" onClick={() => setHolding(true)}>
          Hold …
        </Button>
      }
    >
      <Stack gap="sm">
        <Unreachable rows={gaps.rows} what={gaps.what} />
        {holds.length === 0 && (
          <Text size="sm" c="dimmed">
            None. A hold keeps what is archived at or below a path, now or later, until it is released, whatever the rules say.
          </Text>
        )}
        {holds.length > 0 && (
          <ul className={classes.list} aria-label="Legal holds">
            {holds.map((hold) => (
              <li key={`${hold.name} ${hold.path}`}>
                <span className={classes.grow}>
                  <b>{visible(hold.name)}</b>: {visible(decodedPath(hold.path))}
                  <Text size="xs" c="dimmed">
                    since <Moment time={hold.since} />, in {hold.repositories.map(visible).join(", ")}
                  </Text>
                </span>
                <Button size="compact-sm" variant="default" onClick={() => setReleased(hold)} aria-label={`Release ${visible(hold.name)}`}>
                  Release …
                </Button>
              </li>
            ))}
          </ul>
        )}
      </Stack>
      {isHolding && <HoldDialog dataset={dataset} change={change} onClose={() => setHolding(false)} />}
      {released && <ReleaseDialog dataset={dataset} hold={released} change={change} onClose={() => setReleased(null)} />}
    </Card>
  );
}

interface Change {
  error: unknown;
  busy: boolean;
  /** Calls `then` when it is done. `what`: what is true of owners that did not answer. */
  run: (ask: Ask, what: string, then: () => void) => Promise<void>;
  forget: () => void;
}

function useChange(onGaps: (rows: Gaps, what: string) => void): Change {
  const { busy, error, attempt, forget } = useTrying();
  const run = (ask: Ask, what: string, then: () => void) =>
    attempt(async () => {
      const answer = await ask();
      onGaps(answer.unreachable, what);
      await queryClient.invalidateQueries({ queryKey: keys.archive });
      then();
    });
  return { error, busy, run, forget };
}

function HoldDialog({ dataset, change, onClose }: { dataset: string; change: Change; onClose: () => void }) {
  const [name, setName] = useState("");
  const [path, setPath] = useState("/");
  const close = () => {
    change.forget();
    onClose();
  };
  const hold = () => {
    const body = { dataset, name: name.trim(), path: encodeText(path), repository: "" };
    void change.run(
      () => take(client.POST("/api/v1/archive/hold", { body })),
      "The hold is not set there.",
      () => {
        sayDone(`${visible(name.trim())} holds ${visible(path)}`);
        onClose();
      },
    );
  };
  const isWhole = name.trim() !== "" && path.startsWith("/");
  return (
    <FormDialog
      title={`Hold archived files of ${visible(dataset)}`}
      action="Hold"
      disabled={!isWhole}
      busy={change.busy}
      onSubmit={hold}
      onClose={close}
    >
      <Text size="sm">Nothing that is archived at or below the path, now or later, expires until the hold is released, in any repository that has files of it.</Text>
      {change.error !== null && <Problem error={change.error} />}
      <TextInput label="Name" placeholder="case 7" value={name} onChange={(event) => setName(event.currentTarget.value)} autoComplete="off" data-autofocus />
      <TextInput
        label="At or below"
        description="A path of the source; / means all of the dataset."
        value={path}
        onChange={(event) => setPath(event.currentTarget.value)}
        error={path.startsWith("/") ? undefined : "An absolute path, like /srv/documents."}
      />
      {isWhole && <Copyable text={`holdfast archive hold ${shellWord(dataset)} ${shellWord(name.trim())} --path ${shellWord(path)}`} what="command" />}
    </FormDialog>
  );
}

function ReleaseDialog({ dataset, hold, change, onClose }: { dataset: string; hold: Hold; change: Change; onClose: () => void }) {
  const now = useNow();
  const found = useVersions(dataset, "", hold.path);
  const freed = freedBy(hold.name, found.data?.files ?? [], now);
  const size = freed.reduce((sum, file) => sum + file.size_bytes, 0);
  const close = () => {
    change.forget();
    onClose();
  };
  const release = () =>
    void change.run(
      () => take(client.POST("/api/v1/archive/release", { body: { dataset, name: hold.name, repository: "" } })),
      "The hold is still set there.",
      () => {
        sayDone(`${visible(hold.name)} is released`);
        onClose();
      },
    );
  return (
    <ConfirmByName title={`Release ${visible(hold.name)}`} name={hold.name} action="Release the hold" busy={change.busy} onConfirm={release} onClose={close}>
      <Stack gap="sm">
        {change.error !== null && <Problem error={change.error} />}
        {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
        <Text size="sm">
          {found.isPending && "Counting what would go …"}
          {found.data && freed.length === 0 && "No version at or below its path is past its time now. From then on each goes when its time is over."}
          {freed.length > 0 && `${counted(freed.length, "version")} (${formatBytes(size)}) ${freed.length === 1 ? "is" : "are"} past ${freed.length === 1 ? "its" : "their"} time, kept by this hold alone, and lost at the next opportunity.`}
          {found.data?.more && " There are more than can be counted here."}
        </Text>
        <Text size="sm">
          The same as <Code>{`holdfast archive release ${shellWord(dataset)} ${shellWord(hold.name)}`}</Code>
        </Text>
      </Stack>
    </ConfirmByName>
  );
}
