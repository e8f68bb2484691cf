/** What can be done with a policy as a whole: give it another name, or take it out. */
import { ActionIcon, Menu } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { useState } from "react";
import { useLocation } from "wouter";
import { to } from "../../app/places";
import { useDraft } from "../../draft/draft";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { counted } from "../../parts/format";
import { removePolicy, renamePolicy } from "./changes";
import { change } from "./fields";
import { type Policy, policyNames, usesOf } from "./policy";
import { RenameDialog } from "./RenameDialog";
import { useInForce } from "./UsedIn";
import { listed } from "./words";

export function PolicyMenu({ policy }: { policy: Policy }) {
  const { name } = policy;
  const { values } = useDraft();
  const [, go] = useLocation();
  const [asked, setAsked] = useState<"rename" | "remove" | null>(null);
  const inForce = useInForce(policy);
  const close = () => setAsked(null);
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label="More about this policy">
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setAsked("rename")}>Rename …</Menu.Item>
          <Menu.Item color="red" onClick={() => setAsked("remove")}>
            Remove …
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {asked === "rename" && (
        <RenameDialog
          title="Rename the policy"
          name={name}
          taken={policyNames(values)}
          onClose={close}
          onRename={(other) => {
            change(renamePolicy(values, name, other, inForce.nodes.length > 0 && inForce.name === name), `Rename ${name} to ${other}`);
            go(to.policy(other), { replace: true });
          }}
        >
          Flows that use it follow in the same step, and its points stay with it.
        </RenameDialog>
      )}
      {asked === "remove" && (
        <ConfirmByName
          title="Remove the policy"
          name={name}
          action="Remove it"
          onClose={close}
          onConfirm={() => {
            close();
            change(removePolicy(values, name), `Remove policy ${name}`);
            go("/policies");
          }}
        >
          <Loss policy={name} nodes={inForce.nodes.length} />
        </ConfirmByName>
      )}
    </>
  );
}

function Loss({ policy, nodes }: { policy: string; nodes: number }) {
  const { values } = useDraft();
  const uses = usesOf(values, policy);
  const movers = uses.reduce((sum, use) => sum + use.movers, 0);
  return (
    <>
      <p>
        {uses.length === 0
          ? "No flow uses it."
          : `${counted(uses.length, "flow")} (${listed(uses.map((use) => use.flow))}) will do without it; ${counted(movers, "mover")} there carry it and stop doing so.`}
      </p>
      {nodes > 0 && (
        <p>It is in force on {counted(nodes, "node")}. That ends when the change is saved and its flows are activated again.</p>
      )}
      <p>Points that are stored stay. Nothing changes before you save, and Undo brings it back.</p>
    </>
  );
}
