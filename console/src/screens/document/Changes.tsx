/** What the working copy has that is not stored yet. */
import { Button, Stack } from "@mantine/core";
import { IconArrowBackUp, IconChecks } from "@tabler/icons-react";
import { useState } from "react";
import { ChangeList } from "../../draft/ChangeList";
import { DiffView } from "../../draft/DiffView";
import { discard, isDirty, useDraft } from "../../draft/draft";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { sayDone, sayFailed } from "../../parts/notices";

export function Changes() {
  const draft = useDraft();
  const [busy, setBusy] = useState(false);
  if (!isDirty(draft))
    return (
      <Card>
        <Empty icon={IconChecks} title="Everything is saved">
          What you change, in the drawing or here, is shown in this place until you save it. Until then nothing of it is stored, and no node acts by it.
        </Empty>
      </Card>
    );
  const drop = async () => {
    setBusy(true);
    try {
      await discard();
      sayDone("Your edits are gone from the text", "Undo brings them back.");
    } catch (error) {
      sayFailed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Stack gap="md">
      <Card
        title={`Since revision ${draft.baseRevision}`}
        actions={
          <Button size="xs" variant="default" loading={busy} leftSection={<IconArrowBackUp size={15} aria-hidden />} onClick={() => void drop()}>
            Drop my edits
          </Button>
        }
      >
        <ChangeList changes={draft.changes} none={draft.valid ? "Nothing but comments or spacing." : "This is known when the text can be read."} />
      </Card>
      <Card title="Line by line">
        <DiffView before={draft.baseText} after={draft.text} label="Lines that are not saved yet" />
      </Card>
    </Stack>
  );
}
