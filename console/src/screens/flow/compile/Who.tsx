/** One machine, or one for all that do alike, with the list of them a click away. */
import { Anchor, Modal } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { to } from "../../../app/places";
import { counted, formatCount, visible } from "../../../parts/format";
import { VirtualTable } from "../../../parts/VirtualTable";
import classes from "./compile.module.css";

export function Who({ nodes, repeat = false }: { nodes: readonly string[]; repeat?: boolean }) {
  const [isOpen, setOpen] = useState(false);
  const [first = ""] = nodes;
  if (repeat) return <span className={classes.repeat}>{visible(first)}</span>;
  return (
    <>
      <Link href={to.node(first)} title={visible(first)}>
        {visible(first)}
      </Link>
      {nodes.length > 1 && (
        <>
          {" "}
          <Anchor component="button" type="button" size="sm" onClick={() => setOpen(true)}>
            and {formatCount(nodes.length - 1)} alike
          </Anchor>
        </>
      )}
      {isOpen && (
        <Modal opened onClose={() => setOpen(false)} title={`${counted(nodes.length, "node")} that do the same`}>
          <VirtualTable
            label="Nodes that do the same"
            rows={nodes}
            rowKey={(name) => name}
            columns={[{ key: "name", title: "Node", width: "1fr", cell: (name) => <Link href={to.node(name)}>{visible(name)}</Link>, sortBy: (name) => name }]}
          />
        </Modal>
      )}
    </>
  );
}
