/** Undo, redo and save of the working copy, the same on every screen that edits it; with their keys. */
import { ActionIcon, Button, Group, Tooltip } from "@mantine/core";
import { IconArrowBackUp, IconArrowForwardUp, IconDeviceFloppy } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { State } from "../parts/State";
import { getDraft, isDirty, redo, undo, useDraft } from "./draft";
import { useSave } from "./useSave";

export function DraftBar() {
  const draft = useDraft();
  const { save, dialog } = useSave();
  const [saving, setSaving] = useState(false);
  const dirty = isDirty(draft);
  const onSave = () => {
    // A field that is being typed in is done with first.
    if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
    if (!isDirty(getDraft()) || saving) return;
    setSaving(true);
    void save().finally(() => setSaving(false));
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const does = keyOf(event, onSave);
      if (!does) return;
      event.preventDefault();
      does();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
  return (
    <Group gap="xs" wrap="nowrap" role="toolbar" aria-label="Working copy" aria-busy={draft.waiting > 0}>
      <span aria-live="polite">
        <State state={dirty ? "warning" : "ok"} label={dirty ? "not saved" : "saved"} quiet />
      </span>
      <StepButton label="Undo" keys="Ctrl Z" step={draft.past.at(-1)?.label} icon={IconArrowBackUp} onClick={() => void undo()} />
      <StepButton label="Redo" keys="Ctrl Shift Z" step={draft.future.at(-1)?.label} icon={IconArrowForwardUp} onClick={() => void redo()} />
      <Button
        leftSection={<IconDeviceFloppy size={18} aria-hidden />}
        variant={dirty ? "filled" : "default"}
        disabled={!dirty}
        loading={saving}
        onClick={onSave}
      >
        Save
      </Button>
      {dialog}
    </Group>
  );
}

interface StepButtonProps {
  label: string;
  keys: string;
  /** What it would undo or do again; undefined = there is nothing. */
  step: string | undefined;
  icon: typeof IconArrowBackUp;
  onClick: () => void;
}

function StepButton({ label, keys, step, icon: Icon, onClick }: StepButtonProps) {
  const title = step === undefined ? `${label}: nothing` : `${label}: ${step} (${keys})`;
  return (
    <Tooltip label={title}>
      <ActionIcon variant="default" size="lg" aria-label={title} disabled={step === undefined} onClick={onClick}>
        <Icon size={18} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}

/** What this key does to the working copy. Text fields keep their own undo. */
function keyOf(event: KeyboardEvent, save: () => void): (() => void) | null {
  if (event.defaultPrevented || event.altKey || !(event.ctrlKey || event.metaKey)) return null;
  const key = event.key.toLowerCase();
  if (key === "s") return save;
  const on = event.target;
  if (on instanceof HTMLElement && (on.isContentEditable || on.matches("input:not([type=checkbox]):not([type=radio]), textarea"))) return null;
  if (key === "y" || (key === "z" && event.shiftKey)) return () => void redo();
  return key === "z" ? () => void undo() : null;
}
