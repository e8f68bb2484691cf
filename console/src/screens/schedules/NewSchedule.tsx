/** Begin a schedule: a name; it lets runs start at night until it is changed. */
import { Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useLocation } from "wouter";
import { to } from "../../app/places";
import { edit, useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { ZONE } from "../../parts/clock";
import { FormDialog } from "../../parts/FormDialog";
import { sayFailed } from "../../parts/notices";
import { nameProblem } from "../policies/policy";
import { newSchedule } from "./schedules";

export function NewSchedule({ onClose }: { onClose: () => void }) {
  const { values } = useDraft();
  const [, go] = useLocation();
  const [name, setName] = useState("");
  const problem = name === "" ? "" : nameProblem(name, Object.keys(mappingAt(values, ["schedules"])));
  const make = async () => {
    try {
      await edit(newSchedule(name, ZONE), `New schedule ${name}`);
      go(to.schedule(name));
    } catch (error) {
      sayFailed(error);
    }
  };
  return (
    <FormDialog title="New schedule" gap="md" action="Make it" disabled={!name || problem !== ""} onSubmit={() => void make()} onClose={onClose}>
      <TextInput
        label="Name"
        description="What the times are, like nights or month-ends."
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        error={problem}
        autoComplete="off"
        data-autofocus
      />
      <Text size="sm" c="dimmed">
        It begins with every night from 20:00 to 06:00; change that on the next page.
      </Text>
    </FormDialog>
  );
}
