/** Before anything is protected: the whole of it in three steps, and one thing to do now. */
import { Button, Text, Title } from "@mantine/core";
import { IconPlus, IconShieldPlus } from "@tabler/icons-react";
import { Link } from "wouter";
import { to } from "../../app/places";
import { useLive } from "../../live/store";
import { counted, visible } from "../../parts/format";
import { State } from "../../parts/State";
import classes from "./Home.module.css";
import { someNames } from "./overview";

export function FirstRun({ onProtect }: { onProtect: () => void }) {
  const online = useLive((live) => live.nodes.filter((node) => node.state === "online").map((node) => node.name));
  const isReady = online.length > 0;
  return (
    <section aria-labelledby="first-steps">
      <Title order={2} id="first-steps" mb="sm">
        Three steps to your first file back
      </Title>
      <ol className={classes.steps}>
        <li>
          <Title order={3}>Add nodes</Title>
          {isReady ? (
            <>
              <State state="ok" label={`${counted(online.length, "node")} online`} />
              <Text size="sm">{visible(someNames(online))} can be used now. Add others whenever you like.</Text>
            </>
          ) : (
            <Text size="sm">A node is a machine whose data is protected, or that stores it. One command joins it; it takes a minute.</Text>
          )}
          <Button component={Link} href={to.addNode} variant={isReady ? "default" : "filled"} leftSection={<IconPlus size={16} aria-hidden />}>
            Add a node
          </Button>
        </li>
        <li>
          <Title order={3}>Protect a folder</Title>
          <Text size="sm">Say which folder, where to, and how often. The first point is made at once.</Text>
          <Button onClick={onProtect} disabled={!isReady} leftSection={<IconShieldPlus size={16} aria-hidden />}>
            Protect a folder
          </Button>
          <Text size="sm" c="dimmed">
            Several machines, mirrors, copies of copies? <Link href="/flows">Draw it instead</Link>.
          </Text>
        </li>
        <li>
          <Title order={3}>Get a file back</Title>
          <Text size="sm">Change or delete a file, then find it at the moment before, and put it where you want. Better now than when you must.</Text>
          <Button component={Link} href="/restore" variant="default">
            Open Restore
          </Button>
        </li>
      </ol>
    </section>
  );
}
