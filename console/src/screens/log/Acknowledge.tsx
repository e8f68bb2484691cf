/** Lines of the log were seen: by whom, and why they are no trouble any more. */
import { Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { client, take } from "../../api/client";
import { keys } from "../../api/queries";
import { act, useBusy } from "../../parts/acting";
import { counted } from "../../parts/format";
import { FormDialog } from "../../parts/FormDialog";
import { PAGES_KEY } from "./useLog";

interface AcknowledgeProps {
  numbers: readonly number[];
  onClose: () => void;
}

export function Acknowledge({ numbers, onClose }: AcknowledgeProps) {
  const [comment, setComment] = useState("");
  const { busy, attempt } = useBusy();
  const run = () =>
    attempt(async () => {
      const call = () => take(client.POST("/api/v1/logs/acknowledge", { body: { numbers: [...numbers], comment: comment.trim() } }));
      if (await act(call, `${counted(numbers.length, "line")} acknowledged`, keys.log, PAGES_KEY, keys.status)) onClose();
    });
  return (
    <FormDialog
      title={`Acknowledge ${counted(numbers.length, "line")}`}
      action="Acknowledge"
      leave="Not now"
      busy={busy}
      onSubmit={() => void run()}
      onClose={onClose}
    >
      <Text size="sm">They stay in the log with your name, and no longer count as open errors.</Text>
      <Textarea
        label="Comment"
        description="Why it is no trouble, or what was done; may be left empty"
        value={comment}
        maxLength={2_000}
        autosize
        minRows={2}
        onChange={(event) => setComment(event.currentTarget.value)}
        data-autofocus
      />
    </FormDialog>
  );
}
