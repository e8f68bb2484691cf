import { Button } from "@mantine/core";
import { IconMapOff } from "@tabler/icons-react";
import { Link } from "wouter";
import { Empty } from "../parts/Empty";

export function NotHere() {
  return (
    <Empty
      icon={IconMapOff}
      title="There is no such page"
      action={
        <Button component={Link} href="/">
          Go home
        </Button>
      }
    >
      The address may be mistyped, or what it named has another name now. Ctrl K finds everything by name.
    </Empty>
  );
}
