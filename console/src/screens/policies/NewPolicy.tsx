/** Begin a policy: a name, a folder, and what is done with it. */
import { Button, Group, Radio, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { to } from "../../app/places";
import { edit, useDraft } from "../../draft/draft";
import { FolderPicker } from "../../parts/FolderPicker";
import { FormDialog } from "../../parts/FormDialog";
import { sayFailed } from "../../parts/notices";
import { newPolicy, type Template } from "./changes";
import { nameProblem, policyNames } from "./policy";

const TEMPLATES: readonly (readonly [Template, string, string])[] = [
  ["backup", "Backup", "Points in a repository: every hour; hours of a day, days of a month, months of a year stay"],
  ["backup-and-mirror", "Backup and mirror", "The same, and a plain copy of the folders on another node"],
  ["mirror", "Only mirror", "A plain copy on another node, brought up to date every hour"],
];

export function NewPolicy({ onClose }: { onClose: () => void }) {
  const { values } = useDraft();
  const [, go] = useLocation();
  const [name, setName] = useState("");
  const [path, setPath] = useState("");
  const [template, setTemplate] = useState<Template>("backup");
  const [isPicking, setPicking] = useState(false);
  const problem = name === "" ? "" : nameProblem(name, policyNames(values));
  const pathProblem = path === "" || path.startsWith("/") ? "" : "Begin it with a /.";
  const isReady = name !== "" && path !== "" && !problem && !pathProblem;

  const make = async () => {
    try {
      await edit(newPolicy(name, path, template), `New policy ${name}`);
      go(to.policy(name));
    } catch (error) {
      sayFailed(error);
    }
  };
  if (isPicking)
    return (
      <FolderPicker
        onClose={() => setPicking(false)}
        onPick={(picked) => {
          setPath(picked);
          setPicking(false);
        }}
      />
    );
  return (
    <FormDialog title="New policy" size="lg" gap="md" action="Make it" disabled={!isReady} onSubmit={() => void make()} onClose={onClose}>
      <TextInput
        label="Name"
        description="What the data is, like documents or mail."
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        error={problem}
        autoComplete="off"
        data-autofocus
      />
      <Group align="flex-end" wrap="nowrap">
        <TextInput
          label="Folder"
          placeholder="/srv/documents"
          value={path}
          onChange={(event) => setPath(event.currentTarget.value)}
          error={pathProblem}
          autoComplete="off"
          style={{ flex: 1 }}
        />
        <Button variant="default" onClick={() => setPicking(true)}>
          Browse
        </Button>
      </Group>
      <Radio.Group label="What is done with it" value={template} onChange={(value) => setTemplate(value as Template)}>
        <Stack gap="xs" mt="xs">
          {TEMPLATES.map(([value, label, description]) => (
            <Radio key={value} value={value} label={label} description={description} />
          ))}
        </Stack>
      </Radio.Group>
    </FormDialog>
  );
}
