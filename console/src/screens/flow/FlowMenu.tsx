/** What is done seldom with a flow: another name, out of the document, out of force. */
import { ActionIcon, Menu } from "@mantine/core";
import { IconDots, IconPencil, IconPlayerStop, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { to } from "../../app/places";
import { client, take } from "../../api/client";
import { edit } from "../../draft/draft";
import { remove, rename } from "../../draft/edits";
import { useLive } from "../../live/store";
import { useBusy } from "../../parts/acting";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { counted, visible } from "../../parts/format";
import { sayDone, sayFailed } from "../../parts/notices";
import { NameFlow } from "../flows/NameFlow";

export function FlowMenu({ flow, isDrawn }: { flow: string; isDrawn: boolean }) {
  const [asked, setAsked] = useState<"rename" | "deactivate" | null>(null);
  const [, go] = useLocation();
  const known = useLive((live) => live.flows.find((each) => each.name === flow) ?? null);
  const isActive = known !== null && known.active_revision !== null;
  const takeOut = () => {
    edit([remove(["flows", flow])], `Remove flow ${flow}`).catch(sayFailed);
    const force = isActive ? " It stays in force until it is deactivated." : "";
    sayDone(`${visible(flow)} is out of the document.`, `Nothing is saved yet: undo brings it back.${force}`);
    go("/flows");
  };
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label="More about this flow">
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} disabled={!isDrawn} onClick={() => setAsked("rename")}>
            Rename …
          </Menu.Item>
          <Menu.Item leftSection={<IconTrash size={16} aria-hidden />} disabled={!isDrawn} onClick={takeOut}>
            Remove from the document
          </Menu.Item>
          <Menu.Item leftSection={<IconPlayerStop size={16} aria-hidden />} disabled={!isActive} onClick={() => setAsked("deactivate")}>
            Deactivate …
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {asked === "rename" && (
        <NameFlow
          title={`Rename ${visible(flow)}`}
          name={flow}
          action="Rename"
          onClose={() => setAsked(null)}
          onName={(name) => {
            setAsked(null);
            edit([rename(["flows", flow], name)], `Rename flow ${flow} to ${name}`).catch(sayFailed);
            go(to.flow(name));
          }}
        >
          {isActive && "It is in force under the name it has now. After saving, activate the new name and deactivate the old one."}
        </NameFlow>
      )}
      {asked === "deactivate" && known && <Deactivate flow={flow} datasets={known.datasets} onClose={() => setAsked(null)} />}
    </>
  );
}

function Deactivate({ flow, datasets, onClose }: { flow: string; datasets: readonly string[]; onClose: () => void }) {
  const { busy: isBusy, attempt } = useBusy();
  const confirm = () =>
    attempt(async () => {
      await take(client.POST("/api/v1/flows/{flow}/deactivate", { params: { path: { flow } } }));
      sayDone(`${visible(flow)} is out of force.`);
      onClose();
    });
  const more = datasets.length - 5;
  return (
    <ConfirmByName title={`Deactivate ${visible(flow)}?`} name={flow} action="Deactivate" busy={isBusy} onClose={onClose} onConfirm={() => void confirm()}>
      <p>
        {counted(datasets.length, "dataset")} will no longer be protected by this flow
        {datasets.length > 0 && `: ${datasets.slice(0, 5).map(visible).join(", ")}${more > 0 ? ` and ${more} more` : ""}`}.
      </p>
      <p>Its rules leave the nodes. Stored data stays: points can be restored, mirrors keep their files, and the drawing stays in the document.</p>
    </ConfirmByName>
  );
}
