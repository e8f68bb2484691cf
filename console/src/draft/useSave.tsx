/** Save the working copy from any screen. What it would remove from the document is shown first, and agreed to. */
import { Button, Group, List, Modal, Stack, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { asApiError } from "../api/client";
import { sayDone, sayFailed } from "../parts/notices";
import { type DocumentChange, getDraft, save as store } from "./draft";
import { type Saved, sayFlows } from "./foreseen";

interface Asked {
  removals: readonly DocumentChange[];
  answer: (agreed: boolean) => void;
}

/** `save` is true when everything is stored. `dialog` has to be drawn. */
export function useSave(): { save: (comment?: string) => Promise<boolean>; dialog: ReactNode } {
  const [asked, setAsked] = useState<Asked | null>(null);
  const agreed = (removals: readonly DocumentChange[]) =>
    new Promise<boolean>((answer) => setAsked({ removals, answer })).finally(() => setAsked(null));

  const save = async (comment = ""): Promise<boolean> => {
    try {
      return saved(await store({ comment }));
    } catch (error) {
      const removals = getDraft().changes.filter((change) => change.kind === "removed");
      if (asApiError(error).code !== "refused" || removals.length === 0) return refuse(error);
      if (!(await agreed(removals))) return false;
    }
    try {
      return saved(await store({ comment, acceptRemovals: true }));
    } catch (error) {
      return refuse(error);
    }
  };
  return { save, dialog: asked && <Removals {...asked} /> };
}

function saved({ revision, plan }: Saved): true {
  sayDone(`Saved as revision ${revision}`);
  void sayFlows(plan);
  return true;
}

function refuse(error: unknown): false {
  sayFailed(error);
  return false;
}

function Removals({ removals, answer }: Asked) {
  return (
    <Modal opened onClose={() => answer(false)} title="This takes parts out of the document">
      <Stack gap="sm">
        <List size="sm">
          {removals.map((change) => (
            <List.Item key={`${change.what} ${change.name}`}>
              {change.what} <b>{change.name}</b>
            </List.Item>
          ))}
        </List>
        <Text size="sm">What is stored stays: no restore point and no file is removed by this.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={() => answer(false)}>
            Go back
          </Button>
          <Button color="red" onClick={() => answer(true)} data-autofocus>
            Save without {removals.length === 1 ? "it" : "them"}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
