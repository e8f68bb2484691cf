/** One notify rule: what it chooses, where it tells it, and how. */
import { Checkbox, MultiSelect, Select, SimpleGrid, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { keys } from "../../api/queries";
import { useLive } from "../../live/store";
import { act, useBusy } from "../../parts/acting";
import { FormDialog } from "../../parts/FormDialog";
import { bodyOf, type Channel, CHOICES, CONDITIONS, problemsOf, SEVERITIES, type Wish } from "./notifying";
import { putRule } from "./Rules";

interface RuleFormProps {
  before: Wish;
  isNew: boolean;
  /** Names that a new rule may not have. */
  taken: readonly string[];
  channels: readonly Channel[];
  onClose: () => void;
}

type Choice = (typeof CHOICES)[number];
const LABELS: Record<Choice, string> = { kinds: "Kinds", nodes: "Nodes", flows: "Flows", datasets: "Datasets", tags: "Tags of nodes" };
const WORDS: Record<(typeof SEVERITIES)[number], string> = { info: "everything", warning: "warnings and errors", error: "errors" };

export function RuleForm({ before, isNew, taken, channels, onClose }: RuleFormProps) {
  const { nodes, flows } = useLive(({ nodes, flows }) => ({ nodes, flows }));
  const [wish, setWish] = useState(before);
  const [isTried, setTried] = useState(false);
  const { busy, attempt } = useBusy();
  const put = (change: Partial<Wish>) => setWish({ ...wish, ...change });
  const isTaken = taken.includes(wish.name.trim());
  const problems = { ...problemsOf(wish), ...(isTaken && { name: "There is a rule of that name." }) };
  const shown: typeof problems = isTried ? problems : {};
  const known: Record<Choice, string[]> = {
    kinds: [...CONDITIONS],
    nodes: nodes.filter((node) => node.state !== "revoked").map((node) => node.name),
    flows: flows.map((flow) => flow.name),
    datasets: [...new Set(flows.flatMap((flow) => flow.datasets))].sort(),
    tags: [],
  };
  const save = async () => {
    setTried(true);
    if (Object.keys(problems).length > 0) return;
    await attempt(async () => {
      if (await act(() => putRule(wish.name.trim(), bodyOf(wish)), `The rule ${wish.name.trim()} is in force`, keys.notifications)) onClose();
    });
  };
  const span = (name: "after" | "digest" | "repeat", label: string, description: string) => (
    <TextInput label={label} description={description} placeholder="15m" value={wish[name]} error={shown[name]} onChange={(event) => put({ [name]: event.currentTarget.value })} />
  );
  return (
    <FormDialog
      title={isNew ? "Add a rule" : `Edit the rule ${before.name}`}
      size="lg"
      action="Save"
      leave="Leave it"
      busy={busy}
      onSubmit={() => void save()}
      onClose={onClose}
    >
      {isNew && <TextInput label="Name" value={wish.name} error={shown.name} onChange={(event) => put({ name: event.currentTarget.value })} autoComplete="off" data-autofocus />}
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <MultiSelect label="Tell by" data={channels.map((channel) => channel.name)} value={wish.to} error={shown.to} onChange={(to) => put({ to })} searchable />
        <Select
          label="What"
          data={SEVERITIES.map((value) => ({ value, label: WORDS[value] }))}
          value={wish.severity}
          onChange={(severity) => severity && put({ severity })}
          allowDeselect={false}
        />
        {CHOICES.map((name) => (
          <TagsInput key={name} label={LABELS[name]} placeholder={wish[name].length > 0 ? "" : "All"} data={known[name]} value={wish[name]} onChange={(words) => put({ [name]: words })} />
        ))}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        {span("after", "Wait", "What is over sooner is not told")}
        {span("digest", "Collect for", "One message of all that comes")}
        {span("repeat", "Tell again every", "While it still stands")}
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <TagsInput label="Quiet hours" description="Nothing is sent then; it waits" placeholder={wish.quiet.length > 0 ? "" : "22:00-07:00"} value={wish.quiet} onChange={(quiet) => put({ quiet })} />
        <TextInput label="Time zone" description="Of the quiet hours" value={wish.zone} onChange={(event) => put({ zone: event.currentTarget.value })} />
      </SimpleGrid>
      <Checkbox label="Tell it, too, when it is over" checked={wish.recovery} onChange={(event) => put({ recovery: event.currentTarget.checked })} />
      <Checkbox label="Stop: rules behind this one do not see what it chose" checked={wish.stop} onChange={(event) => put({ stop: event.currentTarget.checked })} />
    </FormDialog>
  );
}
