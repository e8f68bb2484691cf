/** Where to, what about files that are there, a look at what would happen, and then the job itself. */
import { Alert, Button, Checkbox, Group, Modal, Radio, Select, Stack, Stepper, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { client, take } from "../../api/client";
import { useRepositories } from "../../api/queries";
import { useLive } from "../../live/store";
import { useTrying } from "../../parts/acting";
import { counted, formatTime, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { useMirrors } from "./Mirrors";
import type { Stand } from "./moments";
import { landing } from "./paths";
import classes from "./Restore.module.css";
import { RestoreJob } from "./RestoreJob";

/** What somebody wants back. `paths` are percent-encoded, none = everything; `shown` are the same for people. */
export interface Wish {
  point: Stand;
  paths: readonly string[];
  shown: readonly string[];
  roots: readonly string[];
  /** Only from this copy: a repository, or a mirror as NODE:FOLDER. Then the point needs no id. */
  from?: string;
}

type Conflict = "skip" | "overwrite" | "rename";
type Where = "folder" | "origin";

interface Plan {
  where: Where;
  folder: string;
  node: string;
  conflict: Conflict;
  /** What came later and is not in the point goes, too. */
  exact: boolean;
  /** Empty = the nearest copy that is alive. */
  from: string;
}

const CONFLICTS: readonly [Conflict, string, string][] = [
  ["skip", "Leave it as it is", "What is there stays; only what is missing is written."],
  ["rename", "Keep both", "What is there gets another name; nothing is lost."],
  ["overwrite", "Replace it", "What is there becomes what it was at that moment. For a week it can be undone."],
];

export function RestoreDialog({ wish, onClose }: { wish: Wish; onClose: () => void }) {
  const home = wish.point.dataset.split("/")[0] ?? "";
  const [plan, setPlan] = useState<Plan>({ where: "folder", folder: suggestion(wish.point), node: home, conflict: "skip", exact: false, from: wish.from ?? "" });
  const [step, setStep] = useState(0);
  const [jobs, setJobs] = useState<readonly string[]>([]);
  const [lacks, setLacks] = useState<readonly string[]>([]);
  const { busy, error, attempt } = useTrying();
  const target = plan.where === "origin" ? "/" : plan.folder;

  const start = (isDry: boolean) =>
    attempt(async () => {
      const started = await take(client.POST("/api/v1/restores", { body: bodyOf(wish, plan, target, isDry) }));
      setLacks(started.lacks);
      setJobs([...jobs.slice(0, isDry ? 0 : 1), started.job]);
      setStep(isDry ? 1 : 2);
    });

  return (
    <Modal opened onClose={onClose} title={`Restore ${whatOf(wish)} of ${formatTime(wish.point.time)}`} size="xl">
      <Stack>
        <Stepper active={step} size="xs" allowNextStepsSelect={false} onStepClick={(to) => to < step && step < 2 && setStep(to)}>
          <Stepper.Step label="Where to" />
          <Stepper.Step label="What would happen" />
          <Stepper.Step label="Restore" />
        </Stepper>
        {error !== null && <Problem error={error} />}
        {step > 0 && lacks.length > 0 && (
          <Alert color="orange" variant="light" title="Not everything is in this copy">
            It has a part of this point, or the point is older than these folders: {lacks.map(visible).join(", ")}
          </Alert>
        )}
        {step === 0 && <Form wish={wish} plan={plan} target={target} onPlan={setPlan} />}
        {step === 1 && jobs[0] && <RestoreJob id={jobs[0]} isDry />}
        {step === 2 && jobs.at(-1) && <RestoreJob id={jobs.at(-1)!} isDry={false} />}
        <Group justify="flex-end" className={classes.acts}>
          {step === 1 && (
            <Button variant="default" onClick={() => setStep(0)}>
              Back
            </Button>
          )}
          {step === 0 && (
            <Button loading={busy} disabled={!target.startsWith("/")} onClick={() => void start(true)}>
              Look what would happen
            </Button>
          )}
          {step === 1 && (
            <Button loading={busy} onClick={() => void start(false)}>
              Restore now
            </Button>
          )}
          {step === 2 && <Button onClick={onClose}>Close</Button>}
        </Group>
        {step === 2 && (
          <Text size="xs" c="dimmed">
            The restore goes on when you close this; it is in the list of jobs.
          </Text>
        )}
      </Stack>
    </Modal>
  );
}

interface FormProps {
  wish: Wish;
  plan: Plan;
  target: string;
  onPlan: (plan: Plan) => void;
}

function Form({ wish, plan, target, onPlan }: FormProps) {
  const nodes = useLive((live) => live.nodes);
  const names = nodes.filter((node) => node.state !== "revoked").map((node) => node.name);
  const chosen = nodes.find((node) => node.name === plan.node);
  const example = wish.shown[0] ?? wish.roots[0] ?? "";
  const change = (change: Partial<Plan>) => onPlan({ ...plan, ...change });
  return (
    <Stack>
      <Select
        label="On which machine"
        data={names.includes(plan.node) || !plan.node ? names : [plan.node, ...names]}
        value={plan.node || null}
        onChange={(node) => change({ node: node ?? "" })}
        allowDeselect={false}
        searchable
        error={chosen && chosen.state !== "online" ? "This machine is not online at the moment." : undefined}
      />
      <Radio.Group label="Where to" value={plan.where} onChange={(where) => change({ where: where as Where })}>
        <Stack gap={8} mt={6}>
          <Radio value="folder" label="Into a folder of its own" description="The safe way: look at the files, then move them." />
          <Radio value="origin" label="Back to where it was" description="Each file to its old place." />
        </Stack>
      </Radio.Group>
      {plan.where === "folder" && (
        <TextInput
          label="Folder"
          description="Made when it is not there. The machine's own limits say where the Master may write."
          value={plan.folder}
          onChange={(event) => change({ folder: event.currentTarget.value })}
          error={plan.folder.startsWith("/") ? undefined : "An absolute path, like /tmp/back."}
        />
      )}
      <CopySelect wish={wish} value={plan.from} onChange={(from) => change({ from })} />
      <Radio.Group label="When a file is there already" value={plan.conflict} onChange={(value) => change({ conflict: value as Conflict })}>
        <Stack gap={8} mt={6}>
          {CONFLICTS.map(([value, label, description]) => (
            <Radio key={value} value={value} label={label} description={description} />
          ))}
        </Stack>
      </Radio.Group>
      {plan.where === "origin" && (
        <Checkbox
          label="Also take away what came later"
          description="What is there and not in the point goes, as far as this policy takes it. For a week it can be undone."
          checked={plan.exact}
          disabled={plan.conflict !== "overwrite"}
          onChange={(event) => change({ exact: event.currentTarget.checked })}
        />
      )}
      {example && (
        <Alert color="blue" variant="light" title="It will be at">
          <div className={classes.landing}>{landing(target, example)}</div>
          {wish.shown.length > 1 && <Text size="sm">and {counted(wish.shown.length - 1, "more", "more")}, each with its whole path</Text>}
        </Alert>
      )}
    </Stack>
  );
}

/** Repositories, and mirrors that are equal to what is wanted. One that was named from the beginning stays. */
function CopySelect({ wish, value, onChange }: { wish: Wish; value: string; onChange: (from: string) => void }) {
  const repositories = useRepositories().data?.repositories.map((row) => row.name) ?? [];
  const mirrors = useMirrors(wish.point.dataset).data?.mirrors ?? [];
  const equal = mirrors.filter((row) => row.stand?.captured_at === wish.point.time).map((row) => row.name);
  const copies = wish.from ? [wish.from] : [...repositories, ...equal];
  const data = [...(wish.from ? [] : [{ value: "", label: "The nearest that is alive" }]), ...copies.map((name) => ({ value: name, label: visible(name) }))];
  return <Select label="From which copy" data={data} value={value} onChange={(from) => onChange(from ?? "")} allowDeselect={false} />;
}

function bodyOf(wish: Wish, plan: Plan, target: string, isDry: boolean) {
  return {
    point: wish.point.id,
    dataset: wish.point.id === "" ? wish.point.dataset : "",
    at: "",
    paths: [...wish.paths],
    to: target,
    node: plan.node,
    repository: plan.from,
    dry_run: isDry,
    conflict: plan.conflict,
    limit_bytes_s: null,
    before_deletion: "",
    undo_for: "7d",
    owner: "numeric" as const,
    map_owners: [],
    map_groups: [],
    exact: plan.exact && plan.where === "origin" && plan.conflict === "overwrite",
  };
}

function whatOf(wish: Wish): string {
  const [only] = wish.shown;
  if (wish.shown.length === 0) return "everything";
  return wish.shown.length === 1 && only ? visible(only.slice(only.lastIndexOf("/") + 1) || only) : counted(wish.shown.length, "thing");
}

function suggestion(point: Stand): string {
  const day = point.time.slice(0, 16).replace(/[T:]/g, "-");
  return `/tmp/restored-${day}`;
}
