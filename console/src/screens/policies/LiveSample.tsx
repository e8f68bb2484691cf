/** Beside the classification: what it would take on a node now, and what it would leave out and why. */
import { Alert, Loader, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconAlertTriangle, IconLock } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { asApiError, type Schemas } from "../../api/client";
import { useDraft } from "../../draft/draft";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { counted, formatBytes, formatCount, visible } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import { State, stateOf } from "../../parts/State";
import classes from "./policies.module.css";
import { nodesOf, type Policy } from "./policy";
import { belowRoot, commonFolder, isBelow, reasonWords, rowsAbout, type SampleRow } from "./sample";
import { useSample } from "./useSample";

interface LiveSampleProps {
  policy: Policy;
  node: string;
  onNode: (node: string) => void;
}

/** The nodes to choose from: those that use the policy first, of these the online ones. */
export function useSampleNodes(policy: string): { name: string; state: string; uses: boolean }[] {
  const { values } = useDraft();
  const nodes = useLive((live) => live.nodes);
  const used = new Set(nodesOf(values, policy));
  const rank = ({ state, uses }: { state: string; uses: boolean }) => (uses ? 0 : 2) + (state === "online" ? 0 : 1);
  return nodes
    .filter((node) => node.state !== "revoked" && node.state !== "waiting")
    .map(({ name, state }) => ({ name, state, uses: used.has(name) }))
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

export function LiveSample({ policy, node, onNode }: LiveSampleProps) {
  const nodes = useSampleNodes(policy.name);
  const chosen = nodes.find((each) => each.name === node);
  const isAsked = chosen?.state === "online" && policy.paths.length > 0;
  const sample = useSample(policy.classification, isAsked ? chosen.name : null);
  return (
    <Card title="Live sample" actions={sample.isFetching && <Loader size="xs" aria-label="Looking" />}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          What these rules would take if they ran now. Looking changes nothing.
        </Text>
        <Select
          label="On node"
          data={nodes.map(({ name, state, uses }) => ({
            value: name,
            label: [name, uses && "uses this policy", state !== "online" && state].filter(Boolean).join(", "),
          }))}
          value={chosen?.name ?? null}
          placeholder="No node has joined yet"
          allowDeselect={false}
          searchable
          onChange={(name) => name && onNode(name)}
        />
        {chosen && chosen.state !== "online" && (
          <Text size="sm" component="div">
            <State state={stateOf(chosen.state)} label={chosen.state} /> {chosen.name} cannot be asked now. Choose another node, or come back
            when it is there.
          </Text>
        )}
        {chosen && policy.paths.length === 0 && <Text size="sm">Add a folder, and what is in it appears here.</Text>}
        {isAsked && <Found sample={sample} roots={policy.paths} />}
      </Stack>
    </Card>
  );
}

function Found({ sample, roots }: { sample: ReturnType<typeof useSample>; roots: readonly string[] }) {
  const [asked, setAsked] = useState("");
  const { data, error } = sample;
  if (error) return <Refusal error={error} onRetry={() => void sample.refetch()} />;
  if (!data) return <Text size="sm">Looking …</Text>;
  if (!data.valid) return <Unread diagnostics={data.diagnostics} />;
  const isStale = sample.isPlaceholderData;
  const root = commonFolder(roots);
  return (
    <Stack gap="sm" className={isStale ? classes.stale : undefined} aria-busy={isStale}>
      <Totals sample={data} />
      <Findings findings={data.findings} />
      <TextInput
        label="Why is this path taken, or not?"
        placeholder="report.pdf or /srv/documents/cache"
        value={asked}
        onChange={(event) => setAsked(event.currentTarget.value)}
        autoComplete="off"
      />
      <Verdict asked={asked} sample={data} roots={roots} />
      <Rows
        title="Will be taken"
        state="ok"
        rows={rowsAbout(data.chosen, asked)}
        root={root}
        total={asked ? null : data.chosen_total}
        about={({ kind, size_bytes: size }) => (kind === "file" ? formatBytes(size) : kind)}
      />
      <Rows
        title="Left out"
        state="off"
        rows={rowsAbout(data.left_out, asked)}
        root={root}
        total={asked ? null : data.left_out_total}
        about={reasonWords}
      />
    </Stack>
  );
}

/** The machine's own limits are no fault of the policy: they are said as what they are. */
function Refusal({ error, onRetry }: { error: Error; onRetry: () => void }) {
  if (asApiError(error).code !== "outside-limits") return <Problem error={error} onRetry={onRetry} />;
  return (
    <Alert color="gray" role="alert" icon={<IconLock aria-hidden />} title="This machine does not allow it">
      {asApiError(error).message}. What may be read there is said by its own limits.toml, which only its root can change.
    </Alert>
  );
}

function Unread({ diagnostics }: { diagnostics: readonly Schemas["Diagnostic"][] }) {
  return (
    <Alert color="gray" icon={<IconAlertTriangle aria-hidden />} title="These rules cannot be read yet">
      <ul className={classes.plain}>
        {diagnostics.map((each, index) => (
          <li key={index}>
            {visible(each.message)}
            {each.hint && `: ${visible(each.hint)}`}
          </li>
        ))}
      </ul>
    </Alert>
  );
}

function Totals({ sample }: { sample: Schemas["SampleView"] }) {
  const least = sample.complete ? "" : "at least ";
  return (
    <div role="status">
      <Text fw={650}>
        Takes {least}
        {counted(sample.chosen_total, "entry", "entries")}, {formatBytes(sample.chosen_bytes)}
      </Text>
      <Text size="sm" c="dimmed">
        Leaves out {least}
        {formatCount(sample.left_out_total)}.{" "}
        {sample.complete ? "Everything was looked at." : "There is more: the look ended after five seconds or 200,000 entries."}
      </Text>
    </div>
  );
}

function Findings({ findings }: { findings: readonly Schemas["Finding"][] }) {
  if (findings.length === 0) return null;
  return (
    <ul className={classes.findings} aria-label="Findings">
      {findings.map((finding, index) => (
        <li key={index}>
          <State state={finding.severity === "error" ? "failed" : finding.severity === "warning" ? "warning" : "unknown"} quiet label={finding.severity} />
          <Text size="sm" component="span" className={classes.wrap}>
            {finding.path && <span className={classes.mono}>{visible(finding.path)}</span>} {visible(finding.message)}
            {finding.hint && `. ${visible(finding.hint)}`}
          </Text>
        </li>
      ))}
    </ul>
  );
}

/** Said when neither list has the path that is asked for. */
function Verdict({ asked, sample, roots }: { asked: string; sample: Schemas["SampleView"]; roots: readonly string[] }) {
  const text = asked.trim();
  if (text === "" || rowsAbout(sample.chosen, text).length + rowsAbout(sample.left_out, text).length > 0) return null;
  const isOutside = text.startsWith("/") && !isBelow(text, roots);
  return (
    <Text size="sm" role="status">
      {isOutside
        ? "It is below none of the folders above, so it is not taken."
        : "It is not among the paths shown here. They are a sample: narrow the folders to see more of one."}
    </Text>
  );
}

interface RowsProps {
  title: string;
  state: "ok" | "off";
  rows: readonly SampleRow[];
  /** The folder that all of them are below; empty when there are several. */
  root: string;
  /** Of how many these are some; null = not said. */
  total: number | null;
  about: (row: SampleRow) => ReactNode;
}

function Rows({ title, state, rows, root, total, about }: RowsProps) {
  return (
    <section aria-label={title}>
      <div className={classes.listHead}>
        <State state={state} label={title} />
        <Text size="sm" c="dimmed">
          {total !== null && total > rows.length ? `${formatCount(rows.length)} of ${formatCount(total)} shown` : formatCount(rows.length)}
        </Text>
      </div>
      {rows.length > 0 && (
        <ul className={classes.rows} tabIndex={0} aria-label={`${title}: paths`}>
          {rows.map((row) => (
            <li key={row.path}>
              <span className={classes.path} title={visible(row.path)}>
                {visible(belowRoot(row.path, root))}
              </span>
              <span className={classes.why}>{about(row)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
